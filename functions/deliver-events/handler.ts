import type { AuthenticateService } from "../_shared/auth.ts";
import type { CreditEvents, Failure } from "../_shared/credit_events.ts";
import { logEvent } from "../_shared/log.ts";
import { Problem } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import { deliverContract, type Deliveries } from "./contract.ts";
import { retryAfterSeconds } from "./retry_after.ts";
import type { Message, Target, Targets } from "./targets.ts";

const EVENTS_AT_ONCE = 20;
/** After it no more events are claimed; the call ends up to TIMEOUT_MS later, within the minute that pg_net waits. */
const CALL_MS = 35_000;
const TIMEOUT_MS = 20_000;

/** What `deliver-events` works with. */
export interface DeliverDependencies {
  /** Throws a {@link Problem} 401 where the request is not the schedule's or an operator's. */
  authenticate: AuthenticateService;
  events: CreditEvents;
  targets: () => Targets;
  /** Milliseconds since some moment. */
  now: () => number;
}

/**
 * `POST deliver-events`: hands the events that are due to the webhook, and alerts to the target that
 * takes them, until nothing is due or 35 seconds have passed: what an outage left goes in a few calls.
 */
export function deliverRoutes(dependencies: DeliverDependencies): Route[] {
  const handler: Route["handler"] = async ({ request }) => {
    await dependencies.authenticate(request);
    const { alerts, others } = dependencies.targets();
    if (!alerts && !others) throw nowhereToGo();
    const { events, now } = dependencies;
    const end = now() + CALL_MS;
    const outcomes: (Failure | undefined)[] = [];
    for (let tried = 1; tried > 0 && now() < end;) {
      const round = (await Promise.all([
        alerts ? deliverDue(events, "alerts", alerts) : [],
        others ? deliverDue(events, "others", others) : [],
      ])).flat();
      outcomes.push(...round);
      tried = round.length;
    }
    const failed = outcomes.filter((failure) => failure !== undefined).length;
    return json<Deliveries>({
      delivered: outcomes.length - failed,
      failed,
    });
  };
  return [{ method: "POST", path: "", contract: deliverContract, handler }];
}

function nowhereToGo(): Problem {
  return new Problem(
    "service_unavailable",
    "Set WEBHOOK_URL and WEBHOOK_SECRET, or ALERTS_SLACK_URL; the log names what is set and cannot be used. Until then events wait in credit_events.",
  );
}

/** @returns for each event what went wrong, or undefined */
async function deliverDue(
  events: CreditEvents,
  kind: "alerts" | "others",
  { url, message }: Target,
): Promise<(Failure | undefined)[]> {
  const endpoint = await endpointOf(url);
  const due = await events.claim(EVENTS_AT_ONCE, kind, endpoint);
  const failures = await Promise.all(due.map(async (event) => {
    const failure = await send(url, message(event));
    await events.finish(event.id, endpoint, failure);
    return failure;
  }));
  if (failures.some((failure) => failure?.isGone)) {
    const remedy = "Set its new address, or call retry_events for the old one.";
    logEvent("error", "endpoint_gone", { kind, remedy });
  }
  return failures;
}

/** What the database knows an address by, which may have a secret in it. */
async function endpointOf(url: string): Promise<string> {
  const bytes = new TextEncoder().encode(url);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns what went wrong; undefined when the receiver answered 2xx */
async function send(
  url: string,
  { headers, body }: Message,
): Promise<Failure | undefined> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? undefined : {
      error: `the receiver answered ${response.status}`,
      retryAfterSeconds: retryAfterSeconds(response.headers),
      isGone: response.status === 410,
    };
  } catch (error) {
    const isTimeout = error instanceof DOMException &&
      error.name === "TimeoutError";
    return {
      error: isTimeout
        ? `no answer within ${TIMEOUT_MS / 1000} seconds`
        : "the receiver cannot be reached",
    };
  }
}
