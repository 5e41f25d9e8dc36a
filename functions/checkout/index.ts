import { authenticate } from "../_shared/auth.ts";
import { paymentsDatabase as database } from "../_shared/payments/payments_database.ts";
import { serveRoutes } from "../_shared/route.ts";
import { checkoutRoutes } from "./handler.ts";

/** The edge function `checkout`. */
export default {
  fetch: serveRoutes(
    "checkout",
    checkoutRoutes({
      authenticate,
      database,
      environment: (name) => Deno.env.get(name),
    }),
  ),
};
