import { paymentsDatabase as database } from "../_shared/payments/payments_database.ts";
import { serveRoutes } from "../_shared/route.ts";
import { eventRoutes } from "./handler.ts";

/** The edge function `payment-events`: called by the provider of payments. */
export default {
  fetch: serveRoutes(
    "payment-events",
    eventRoutes({ database, environment: (name) => Deno.env.get(name) }),
  ),
};
