import { logEvent } from "../log.ts";
import type { Bookable, PaymentEvent } from "./neutral.ts";
import type { PaymentsDatabase } from "./payments_database.ts";
import type { PaymentResult } from "./results.ts";

/** Books how things stand, each by one call. What waits or is refused is in the log too: an operator must look at it. */
export async function bookAll(
  bookables: readonly Bookable[],
  { book }: Pick<PaymentsDatabase, "book">,
  event?: PaymentEvent,
): Promise<PaymentResult[]> {
  const results: PaymentResult[] = [];
  for (const bookable of bookables) {
    const result = await book(bookable, event);
    if (result.outcome === "waiting" || result.outcome === "refused") {
      logEvent("warn", `payment_${result.outcome}`, {
        key: nameOf(bookable),
        cause: result.cause ?? undefined,
        payment_event: event?.id,
      });
    }
    results.push(result);
  }
  return results;
}

function nameOf(bookable: Bookable): string {
  return "payment" in bookable
    ? bookable.payment.key
    : bookable.subscription.subscription;
}
