import { type Story, taken } from "./payment_story.ts";
import { chargeOf } from "./stripe_server/money.ts";
import type { World } from "./stripe_server/world.ts";

/** What must be booked of a payment, from what has happened to it. */
export interface ExpectedPayment {
  readonly key: string;
  readonly credits: number;
  readonly reversed_credits: number;
}

/**
 * What one customer's payments must have come to, by how the world is now and by nothing else.
 *
 * @param creditsOf the credits of a price
 */
export function expectedPayments(
  { customer }: Story,
  world: World,
  creditsOf: ReadonlyMap<string, number>,
): ExpectedPayment[] {
  const packs = [...world.sessions.values()]
    .filter((one) =>
      one.customer === customer && one.mode === "payment" &&
      one.payment_status !== "unpaid"
    )
    .map(({ id, payment_intent }) => {
      const credits = world.lineItems.get(id)!.reduce(
        (sum, { price, quantity }) =>
          sum + creditsOf.get(price.id)! * quantity!,
        0,
      );
      const intents = payment_intent ? [payment_intent] : [];
      return expected(world, `stripe:cs:${id}`, credits, intents);
    });
  const periods = [...world.invoices.values()]
    .filter((one) => one.customer === customer && one.status === "paid")
    .map(({ id, lines }) => {
      const credits = lines.data.reduce(
        // Of an upgrade the difference: time that was not used is below 0.
        (sum, { pricing, amount }) =>
          sum + Math.sign(amount) * creditsOf.get(pricing.price_details.price)!,
        0,
      );
      const intents = [...world.invoicePayments.values()]
        .filter(({ invoice }) => invoice === id)
        .map(({ payment }) => payment.payment_intent);
      return expected(world, `stripe:in:${id}`, credits, intents);
    });
  return [...packs, ...periods].sort((a, b) => a.key < b.key ? -1 : 1);
}

/** The share of the credits that the share of the money is which has gone back, in whole credits. */
function expected(
  world: World,
  key: string,
  credits: number,
  intents: readonly string[],
): ExpectedPayment {
  const paid = intents.reduce(
    (sum, intent) => sum + chargeOf(world, intent).amount,
    0,
  );
  const back = intents.reduce((sum, intent) => sum + gone(world, intent), 0);
  const share = Math.max(0, Math.min(paid, back));
  // Halves are rounded up, in whole numbers: no float is near.
  const reversed_credits = paid === 0
    ? 0
    : Math.floor((2 * credits * share + paid) / (2 * paid));
  return { key, credits, reversed_credits };
}

function gone(world: World, intent: string): number {
  const refunded = [...world.refunds.values()]
    .filter((one) =>
      one.payment_intent === intent && one.status === "succeeded"
    )
    .reduce((sum, { amount }) => sum + amount, 0);
  const disputed = [...world.disputes.values()]
    .filter((one) => one.payment_intent === intent)
    .reduce((sum, one) => sum + taken(one), 0);
  return refunded + disputed;
}
