import type Stripe from "stripe";
import type { Bookable } from "./neutral.ts";
import { idOf } from "./stripe_charges.ts";
import {
  paymentOfInvoice,
  paymentOfSession,
  SESSION_EXPANSION,
} from "./stripe_payments.ts";
import { readSubscription } from "./stripe_subscriptions.ts";

/** What changed at Stripe. */
export interface StripeObject {
  kind: "session" | "invoice" | "intent" | "subscription";
  id: string;
}

/** The events that say that something of ours may have changed; the endpoint is set up with them. */
export const STRIPE_EVENTS = [
  "checkout.session.completed",
  "checkout.session.async_payment_succeeded",
  "checkout.session.async_payment_failed",
  "checkout.session.expired",
  "invoice.paid",
  "invoice.payment_failed",
  "invoice.marked_uncollectible",
  "invoice.voided",
  "customer.subscription.created",
  "customer.subscription.updated",
  "customer.subscription.deleted",
  "customer.subscription.paused",
  "customer.subscription.resumed",
  "charge.refunded",
  "refund.created",
  "refund.updated",
  "refund.failed",
  "charge.dispute.created",
  "charge.dispute.updated",
  "charge.dispute.closed",
  "charge.dispute.funds_withdrawn",
  "charge.dispute.funds_reinstated",
] as const satisfies Stripe.WebhookEndpointCreateParams.EnabledEvent[];

/** The only members of an event's object that are read; other versions of the API have them too. */
type Changed = Partial<{
  id: string;
  payment_intent: string | { id: string } | null;
}>;

/** What an event is about; undefined for what is no business of ours. */
export function changedObject(
  { type, data }: Pick<Stripe.Event, "type" | "data">,
): StripeObject | undefined {
  const changed = data.object as Changed;
  const kind = kindOf(type);
  const id = kind === "intent" ? idOf(changed.payment_intent) : changed.id;
  return kind && id ? { kind, id } : undefined;
}

function kindOf(type: string): StripeObject["kind"] | undefined {
  if (type.startsWith("checkout.session.")) return "session";
  if (type.startsWith("invoice.")) return "invoice";
  if (type.startsWith("customer.subscription.")) return "subscription";
  const isOfCharge = type === "charge.refunded" ||
    type.startsWith("refund.") || type.startsWith("charge.refund.") ||
    type.startsWith("charge.dispute.");
  return isOfCharge ? "intent" : undefined;
}

/** Reads how what changed stands now; empty where it is no payment of ours. */
export async function readObject(
  stripe: Stripe,
  { kind, id }: StripeObject,
): Promise<Bookable[]> {
  switch (kind) {
    case "session":
      return await readSession(stripe, id);
    case "invoice":
      return await readInvoice(stripe, id);
    case "subscription":
      return [{ subscription: await readSubscription(stripe, id) }];
    case "intent":
      return await readIntent(stripe, id);
  }
}

async function readSession(stripe: Stripe, id: string): Promise<Bookable[]> {
  const session = await stripe.checkout.sessions.retrieve(id, {
    expand: SESSION_EXPANSION,
  });
  if (session.mode === "payment") {
    return [{ payment: await paymentOfSession(stripe, session) }];
  }
  const [invoice, subscription] = [session.invoice, session.subscription]
    .map(idOf);
  const [paid, subscribed] = await Promise.all([
    invoice ? readInvoice(stripe, invoice) : [],
    subscription ? readSubscription(stripe, subscription) : undefined,
  ]);
  return [
    ...paid.map((bookable) => withSession(bookable, id)),
    ...subscribed ? [{ subscription: subscribed }] : [],
  ];
}

/** The invoice itself does not know which checkout it came from. */
function withSession(bookable: Bookable, session: string): Bookable {
  return "payment" in bookable
    ? { payment: { ...bookable.payment, session } }
    : bookable;
}

async function readInvoice(stripe: Stripe, id: string): Promise<Bookable[]> {
  const payment = await paymentOfInvoice(stripe, id);
  return payment ? [{ payment }] : [];
}

/** A refund and a dispute know the intent alone, not what it paid. */
async function readIntent(stripe: Stripe, id: string): Promise<Bookable[]> {
  const sessions = await stripe.checkout.sessions.list({
    payment_intent: id,
    limit: 1,
  });
  const [session] = sessions.data;
  if (session) return await readSession(stripe, session.id);
  const invoices = await stripe.invoicePayments.list({
    payment: { type: "payment_intent", payment_intent: id },
    limit: 100,
  });
  const ids = new Set(
    invoices.data.flatMap(({ invoice }) => idOf(invoice) ?? []),
  );
  const read = await Promise.all(
    [...ids].map((invoice) => readInvoice(stripe, invoice)),
  );
  return read.flat();
}
