import { authenticateService } from "../_shared/auth.ts";
import { creditEvents as events } from "../_shared/credit_events.ts";
import { serveRoutes } from "../_shared/route.ts";
import { deliverRoutes, webhookFromEnvironment } from "./handler.ts";

/** The edge function `deliver-events`: called on a schedule with the secret key. */
export default {
  fetch: serveRoutes(
    "deliver-events",
    deliverRoutes({
      authenticateService,
      events,
      webhook: webhookFromEnvironment,
    }),
  ),
};
