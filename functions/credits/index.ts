import { authenticate } from "../_shared/auth.ts";
import { serveRoutes } from "../_shared/route.ts";
import { userRows } from "../_shared/user_rows.ts";
import { creditRoutes } from "./handler.ts";

/** The edge function `credits`. */
export default {
  fetch: serveRoutes("credits", creditRoutes({ authenticate, userRows })),
};
