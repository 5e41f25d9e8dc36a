import { authenticate } from "../_shared/auth.ts";
import { callbackDatabase } from "../_shared/callback_database.ts";
import { creditsDatabase as database } from "../_shared/credits_database.ts";
import { outputStore as store } from "../_shared/outputs.ts";
import { callbackRegistry } from "../_shared/providers/callback_registry.ts";
import { serveRoutes } from "../_shared/route.ts";
import { storageDatabase } from "../_shared/storage_database.ts";
import { userRows } from "../_shared/user_rows.ts";
import { jobRoutes } from "./handler.ts";

const findCallbackProvider = callbackRegistry((name) => Deno.env.get(name));

/** The edge function `jobs`. */
export default {
  fetch: serveRoutes(
    "jobs",
    jobRoutes({
      authenticate,
      database,
      callbackDatabase,
      storageDatabase,
      store,
      userRows,
      findCallbackProvider,
    }),
  ),
};
