import { readBytes } from "../_shared/body.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import { logEvent } from "../_shared/log.ts";
import { bookAll } from "../_shared/payments/book.ts";
import type { PaymentsDatabase } from "../_shared/payments/payments_database.ts";
import type { SignedEvent } from "../_shared/payments/provider.ts";
import { paymentEvents } from "../_shared/payments/registry.ts";
import { Problem } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import type { Environment } from "../_shared/settings.ts";
import { eventContract, type TakenEvent } from "./contract.ts";

/** Largest body of an event, in bytes. */
const MAX_EVENT_BYTES = 1024 * 1024;

/** What `payment-events` works with. */
export interface EventDependencies {
  database: Pick<PaymentsDatabase, "book" | "noteEvent">;
  environment: Environment;
}

/**
 * `POST payment-events/<provider>`: an event says only that something changed. How it stands now is read from the
 * provider, and the difference to what is booked is booked: order and number of events do not matter. What fails is
 * answered with an error, and nothing of the event stays: the provider repeats it.
 */
export function eventRoutes(dependencies: EventDependencies): Route[] {
  const { environment } = dependencies;
  const handler: Route["handler"] = async ({ request, params }) => {
    const events = paymentEvents(environment, params.provider ?? "");
    if (!events) {
      throw new Problem("not_found", "There is no provider of this name.");
    }
    const body = await readBytes(request, MAX_EVENT_BYTES);
    const signed = await events.verify(body, request.headers);
    return json<TakenEvent>(
      await keepAlive(() => take(signed, events.livemode, dependencies)),
    );
  };
  return [{
    method: "POST",
    path: "/:provider",
    contract: eventContract,
    handler,
  }];
}

async function take(
  { event, livemode, read }: SignedEvent,
  ours: boolean,
  { database }: EventDependencies,
): Promise<TakenEvent> {
  if (livemode !== ours) {
    logEvent("error", "payment_event_of_other_mode", {
      payment_event: event.id,
      livemode,
    });
    await database.noteEvent(event, "refused", "other_mode");
    return { outcome: "refused", cause: "other_mode" };
  }
  const bookables = await read();
  if (!bookables) {
    await database.noteEvent(event, "refused", "object_missing");
    return { outcome: "refused", cause: "object_missing" };
  }
  if (bookables.length === 0) {
    await database.noteEvent(event, "nothing_to_do", "not_ours");
    return { outcome: "nothing_to_do", cause: "not_ours" };
  }
  const results = await bookAll(bookables, database, event);
  const { outcome, cause } =
    results.find(({ outcome }) =>
      outcome === "waiting" || outcome === "refused"
    ) ?? results[0]!;
  return { outcome, cause: cause ?? undefined };
}
