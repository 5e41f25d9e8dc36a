import { appKeysDatabase as database } from "../_shared/app_keys_database.ts";
import { authenticateCaller as authenticate } from "../_shared/auth.ts";
import { serveRoutes } from "../_shared/route.ts";
import { keyRoutes } from "./handler.ts";

/** The edge function `keys`: app keys, with which a program asks for text without a user's token. */
export default {
  fetch: serveRoutes("keys", keyRoutes({ authenticate, database })),
};
