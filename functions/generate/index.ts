import { authenticateCaller as authenticate } from "../_shared/auth.ts";
import { callbackDatabase } from "../_shared/callback_database.ts";
import { creditsDatabase } from "../_shared/credits_database.ts";
import { findFirstFrame } from "../_shared/first_frame.ts";
import { callbackRegistry } from "../_shared/providers/callback_registry.ts";
import { outputStore as store } from "../_shared/outputs.ts";
import { providerRegistry } from "../_shared/providers/registry.ts";
import { serveRoutes } from "../_shared/route.ts";
import { generateRoutes } from "./handler.ts";

const environment = (name: string) => Deno.env.get(name);
const routes = generateRoutes({
  authenticate,
  database: creditsDatabase,
  findProvider: providerRegistry(environment),
  store,
  findFirstFrame,
  callbacks: {
    database: callbackDatabase,
    findProvider: callbackRegistry(environment),
    functionsUrl: environment("FUNCTIONS_URL") ||
      `${environment("SUPABASE_URL")}/functions/v1`,
  },
});

/** The edge function `generate`. */
export default {
  fetch: serveRoutes("generate", routes),
};
