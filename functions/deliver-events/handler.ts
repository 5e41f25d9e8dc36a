import { Webhook } from "standardwebhooks";
import type { AuthenticateService } from "../_shared/auth.ts";
import type { CreditEvent, CreditEvents } from "../_shared/credit_events.ts";
import { Problem } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";

const EVENTS_A_RUN = 20;
const TIMEOUT_MS = 10_000;

/** Where events go, and the secret that they are signed with (whsec_…, base64). */
export interface WebhookTarget {
  url: string;
  secret: string;
}

/** What `deliver-events` works with. */
export interface DeliverDependencies {
  authenticateService: AuthenticateService;
  events: CreditEvents;
  webhook: () => WebhookTarget;
}

/** `POST deliver-events`: hands the events that are due to the webhook. */
export function deliverRoutes(dependencies: DeliverDependencies): Route[] {
  const handler: Route["handler"] = async ({ request }) => {
    await dependencies.authenticateService(request);
    const target = dependencies.webhook();
    const due = await dependencies.events.claim(EVENTS_A_RUN);
    const errors = await Promise.all(due.map(async (event) => {
      const error = await deliver(event, target);
      await dependencies.events.finish(event.id, error);
      return error;
    }));
    const failed = errors.filter((error) => error !== undefined).length;
    return json({ delivered: due.length - failed, failed });
  };
  return [{ method: "POST", path: "", handler }];
}

/** The webhook of the environment: WEBHOOK_URL and WEBHOOK_SECRET. */
export function webhookFromEnvironment(): WebhookTarget {
  const url = Deno.env.get("WEBHOOK_URL");
  const secret = Deno.env.get("WEBHOOK_SECRET");
  if (url && secret) return { url, secret };
  throw new Problem(
    "service_unavailable",
    "Set WEBHOOK_URL and WEBHOOK_SECRET; until then events wait in credit_events.",
  );
}

/**
 * Sends one event as Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature).
 *
 * @returns what went wrong, without secrets; undefined when the receiver answered 2xx
 */
async function deliver(
  event: CreditEvent,
  { url, secret }: WebhookTarget,
): Promise<string | undefined> {
  const now = new Date();
  const body = JSON.stringify({
    type: event.type,
    timestamp: event.created_at,
    data: event.payload,
  });
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
        "webhook-signature": new Webhook(secret).sign(event.id, now, body),
      },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `the receiver answered ${response.status}`;
  } catch (error) {
    const isTimeout = error instanceof DOMException &&
      error.name === "TimeoutError";
    return isTimeout
      ? `no answer within ${TIMEOUT_MS / 1000} seconds`
      : "the receiver cannot be reached";
  }
}
