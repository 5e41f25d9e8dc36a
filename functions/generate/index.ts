import { authenticate } from "../_shared/auth.ts";
import { creditsDatabase } from "../_shared/credits_database.ts";
import { providerRegistry } from "../_shared/providers/registry.ts";
import { serveRoutes } from "../_shared/route.ts";
import { generateHandler } from "./handler.ts";

const redisUrl = Deno.env.get("REDIS_URL");
// Loaded where it is wanted only: most projects count in Postgres.
const database = redisUrl
  ? (await import("./redis_rate_limit.ts"))
    .countInRedis(creditsDatabase, redisUrl)
  : creditsDatabase;
const findProvider = providerRegistry((name) => Deno.env.get(name));
const handler = generateHandler({ authenticate, database, findProvider });

/** The edge function `generate`. */
export default {
  fetch: serveRoutes("generate", [{ method: "POST", path: "", handler }]),
};
