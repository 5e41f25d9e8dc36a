import { authenticateSchedule as authenticate } from "../_shared/authenticate_schedule.ts";
import { creditEvents as events } from "../_shared/credit_events.ts";
import { serveRoutes } from "../_shared/route.ts";
import { deliverRoutes } from "./handler.ts";
import { targetsFromEnvironment as targets } from "./targets.ts";

/** The edge function `deliver-events`: called on a schedule. */
export default {
  fetch: serveRoutes(
    "deliver-events",
    deliverRoutes({
      authenticate,
      events,
      targets,
      now: () => performance.now(),
    }),
  ),
};
