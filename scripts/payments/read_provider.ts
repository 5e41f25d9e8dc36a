import type Stripe from "stripe";
import type {
  Bookable,
  PaymentEvent,
} from "../../functions/_shared/payments/neutral.ts";
import { idOf } from "../../functions/_shared/payments/stripe_charges.ts";
import { toEvent } from "../../functions/_shared/payments/stripe_events.ts";
import { isMissing } from "../../functions/_shared/payments/stripe_failure.ts";
import {
  changedObject,
  readObject,
  STRIPE_EVENTS,
  type StripeObject,
} from "../../functions/_shared/payments/stripe_objects.ts";
import type { Payments } from "./access.ts";
import { inGroups } from "./groups.ts";

/** What the provider has, and which events told nobody of it. */
export interface Found {
  states: { bookable: Bookable; event?: PaymentEvent }[];
  /** Events that nobody took, about nothing of ours. */
  foreign: PaymentEvent[];
}

/** Reads what has changed at the provider in the last days, each thing once. */
export async function readProvider(
  { stripe }: Payments,
  days: number,
): Promise<Found> {
  const since = Math.floor(Date.now() / 1000) - days * 86_400;
  const recent = { created: { gte: since }, limit: 100 };
  const undelivered: Stripe.Event[] = [];
  const pages = stripe.events.list({ ...recent, delivery_success: false });
  for await (const event of pages) undelivered.push(event);
  const objects = await recentObjects(stripe, recent);
  const found: Found = { states: [], foreign: [] };
  const seen = new Map<string, Promise<Bookable[]>>();
  const read = (object: StripeObject) => {
    const key = `${object.kind}:${object.id}`;
    const reading = seen.get(key) ?? readIfThere(stripe, object);
    seen.set(key, reading);
    return reading;
  };
  await inGroups(undelivered.reverse(), async (event) => {
    const object = changedObject(event);
    const bookables = object ? await read(object) : [];
    if (bookables.length === 0) found.foreign.push(toEvent(event));
    for (const bookable of bookables) {
      found.states.push({ bookable, event: toEvent(event) });
    }
  });
  await inGroups(objects, async (object) => {
    for (const bookable of await read(object)) found.states.push({ bookable });
  });
  return { ...found, states: eachOnce(found.states) };
}

type Recent = { created: { gte: number }; limit: number };

const SUBSCRIPTION_EVENTS = STRIPE_EVENTS.filter((type) =>
  type.startsWith("customer.subscription.")
);

/** Refunds and disputes are asked for too: what they are about may be older. Of subscriptions those that have changed. */
async function recentObjects(
  stripe: Stripe,
  recent: Recent,
): Promise<StripeObject[]> {
  const objects: StripeObject[] = [];
  const collect = async (
    kind: StripeObject["kind"],
    pages: AsyncIterable<unknown>,
    of: (one: never) => string | null,
  ) => {
    for await (const one of pages) {
      const id = of(one as never);
      if (id) objects.push({ kind, id });
    }
  };
  const own = ({ id }: { id: string }) => id;
  const intent = (one: { payment_intent: string | null }) =>
    idOf(one.payment_intent);
  await collect("session", stripe.checkout.sessions.list(recent), own);
  await collect("invoice", stripe.invoices.list(recent), own);
  await collect("intent", stripe.refunds.list(recent), intent);
  await collect("intent", stripe.disputes.list(recent), intent);
  const changed = { ...recent, types: SUBSCRIPTION_EVENTS };
  await collect(
    "subscription",
    stripe.events.list(changed),
    (event: Stripe.Event) => changedObject(event)?.id ?? null,
  );
  return objects;
}

async function readIfThere(
  stripe: Stripe,
  object: StripeObject,
): Promise<Bookable[]> {
  return await readObject(stripe, object).catch((error) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

/** The same payment is read by several ways; each event must be seen all the same. */
function eachOnce(states: Found["states"]): Found["states"] {
  const seen = new Set<string>();
  return states.filter(({ bookable, event }) => {
    const key = "payment" in bookable
      ? bookable.payment.key
      : bookable.subscription.subscription;
    const isNew = event !== undefined || !seen.has(key);
    seen.add(key);
    return isNew;
  });
}
