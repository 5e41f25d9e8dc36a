import { callbackDatabase } from "../_shared/callback_database.ts";
import { creditsDatabase } from "../_shared/credits_database.ts";
import { outputStore as store } from "../_shared/outputs.ts";
import { callbackRegistry } from "../_shared/providers/callback_registry.ts";
import { serveRoutes } from "../_shared/route.ts";
import { webhookRoutes } from "./handler.ts";

/** The edge function `provider-webhook`: called by providers that answer later. */
export default {
  fetch: serveRoutes(
    "provider-webhook",
    webhookRoutes({
      database: { ...creditsDatabase, ...callbackDatabase },
      store,
      findProvider: callbackRegistry((name) => Deno.env.get(name)),
    }),
  ),
};
