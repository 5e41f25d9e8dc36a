import { Webhook } from "standardwebhooks";
import { authenticateService } from "../_shared/auth.ts";
import { creditEvents as events } from "../_shared/credit_events.ts";
import { serveRoutes } from "../_shared/route.ts";
import { deliverRoutes } from "./handler.ts";
import { targetsFromEnvironment as targets } from "./targets.ts";

/**
 * Lets through the secret key, and what the database signed with DELIVERY_SECRET: pg_net keeps
 * the headers of its requests where others may read them, so no key of the project is in them.
 */
async function authenticate(request: Request): Promise<void> {
  const secret = Deno.env.get("DELIVERY_SECRET");
  if (secret && request.headers.has("webhook-signature")) {
    const headers = Object.fromEntries(request.headers);
    try {
      // The body is always {}, and what it says is not read.
      new Webhook(secret).verify("{}", headers);
      return;
    } catch {
      // Then the key decides.
    }
  }
  await authenticateService(request);
}

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
