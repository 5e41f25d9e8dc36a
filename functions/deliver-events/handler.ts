import type { AuthenticateService } from "../_shared/auth.ts";
import type { CreditEvent, CreditEvents } from "../_shared/credit_events.ts";
import { Problem } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import type { Message, Targets } from "./targets.ts";

const EVENTS_AT_ONCE = 20;
/** After it no more events are claimed; the call ends up to TIMEOUT_MS later, within the minute that pg_net waits. */
const CALL_MS = 45_000;
const TIMEOUT_MS = 10_000;

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
 * `POST deliver-events`: hands the events that are due to the webhook, and alerts to whoever wants
 * them, until nothing is due or 45 seconds have passed: what an outage left goes in a few calls.
 */
export function deliverRoutes(dependencies: DeliverDependencies): Route[] {
  const handler: Route["handler"] = async ({ request }) => {
    await dependencies.authenticate(request);
    const { alerts, others } = dependencies.targets();
    if (!alerts && !others) throw nowhereToGo();
    const { events, now } = dependencies;
    const end = now() + CALL_MS;
    const outcomes: (string | undefined)[] = [];
    for (let tried = 1; tried > 0 && now() < end;) {
      const round = (await Promise.all([
        alerts ? deliverDue(events, "alerts", alerts) : [],
        others ? deliverDue(events, "others", others) : [],
      ])).flat();
      outcomes.push(...round);
      tried = round.length;
    }
    const failed = outcomes.filter((error) => error !== undefined).length;
    return json({ delivered: outcomes.length - failed, failed });
  };
  return [{ method: "POST", path: "", handler }];
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
  target: (event: CreditEvent) => Message,
): Promise<(string | undefined)[]> {
  const due = await events.claim(EVENTS_AT_ONCE, kind);
  return await Promise.all(due.map(async (event) => {
    const error = await send(target(event));
    await events.finish(event.id, error);
    return error;
  }));
}

/** @returns what went wrong, without secrets; undefined when the receiver answered 2xx */
async function send({ url, headers, body }: Message): Promise<
  string | undefined
> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
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
