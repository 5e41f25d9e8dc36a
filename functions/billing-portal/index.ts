import { authenticate } from "../_shared/auth.ts";
import { paymentsDatabase as database } from "../_shared/payments/payments_database.ts";
import { serveRoutes } from "../_shared/route.ts";
import { portalRoutes } from "./handler.ts";

/** The edge function `billing-portal`. */
export default {
  fetch: serveRoutes(
    "billing-portal",
    portalRoutes({
      authenticate,
      database,
      environment: (name) => Deno.env.get(name),
    }),
  ),
};
