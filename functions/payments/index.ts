import { authenticate } from "../_shared/auth.ts";
import { serveRoutes } from "../_shared/route.ts";
import { userRows } from "../_shared/user_rows.ts";
import { paymentRoutes } from "./handler.ts";

/** The edge function `payments`. */
export default {
  fetch: serveRoutes("payments", paymentRoutes({ authenticate, userRows })),
};
