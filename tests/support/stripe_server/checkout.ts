import { charge } from "./money.ts";
import { type LineItem, now, PERSONAL, type Session } from "./objects.ts";
import { subscribe } from "./subscriptions.ts";
import { get, keep, newId, type World } from "./world.ts";

const DAY = 86_400;

/** What a session is made with. */
export interface NewSession {
  mode: "payment" | "subscription";
  lines: { price: string; quantity: number }[];
  customer?: string;
  metadata?: Record<string, string>;
  subscriptionMetadata?: Record<string, string>;
  clientReference?: string;
  successUrl?: string;
  cancelUrl?: string;
  livemode?: boolean;
  /** Made by a link that stands on a page, not by our server. */
  paymentLink?: string;
}

const subscriptionMetadata = new WeakMap<Session, Record<string, string>>();

/** Makes a session that can be paid. */
export function openSession(
  world: World,
  origin: string,
  order: NewSession,
): Session {
  const { livemode = false, metadata = {} } = order;
  const id = newId(livemode ? "cs_live" : "cs_test");
  const prices = order.lines.map(({ price }) => get(world.prices, price));
  const items = order.lines.map<LineItem>(({ price, quantity }, at) => ({
    id: newId("li"),
    quantity,
    price: { id: price },
    amount_subtotal: prices[at]!.unit_amount * quantity,
    amount_total: prices[at]!.unit_amount * quantity,
  }));
  world.lineItems.set(id, items);
  const session = keep<Session>(world.sessions, {
    id,
    object: "checkout.session",
    livemode,
    mode: order.mode,
    status: "open",
    payment_status: "unpaid",
    metadata,
    amount_total: items.reduce((sum, item) => sum + item.amount_total, 0),
    currency: prices[0]!.currency,
    created: now(),
    expires_at: now() + DAY,
    url: `${origin}/pay/${id}`,
    success_url: order.successUrl ?? null,
    cancel_url: order.cancelUrl ?? null,
    client_reference_id: order.clientReference ?? null,
    customer: order.customer ?? null,
    payment_intent: null,
    invoice: null,
    subscription: null,
    payment_link: order.paymentLink ?? null,
    customer_details: { email: PERSONAL.email, name: PERSONAL.name },
  });
  subscriptionMetadata.set(session, order.subscriptionMetadata ?? metadata);
  return session;
}

/** A coupon brings what is to be paid down; the lines keep their price. */
export function discount(world: World, id: string, percent: number): void {
  const session = get(world.sessions, id);
  for (const item of world.lineItems.get(id) ?? []) {
    item.amount_total = Math.round(
      item.amount_subtotal * (100 - percent) / 100,
    );
  }
  session.amount_total = (world.lineItems.get(id) ?? [])
    .reduce((sum, item) => sum + item.amount_total, 0);
}

/** A buyer pays by a method that answers at once. */
export function pay(world: World, id: string): Session {
  const session = get(world.sessions, id);
  session.status = "complete";
  if (session.mode === "subscription") {
    const metadata = subscriptionMetadata.get(session) ?? {};
    const items = world.lineItems.get(id)!;
    const { subscription, invoice } = subscribe(
      world,
      session,
      items,
      metadata,
    );
    session.subscription = subscription.id;
    session.invoice = invoice.id;
    session.payment_status = "paid";
  } else if (session.amount_total === 0) {
    session.payment_status = "no_payment_required";
  } else {
    takeMoney(world, session);
  }
  world.tell("checkout.session.completed", session);
  return session;
}

/** A buyer pays by a method whose money comes days later, or never. */
export function payLater(world: World, id: string): Session {
  const session = get(world.sessions, id);
  session.status = "complete";
  world.tell("checkout.session.completed", session);
  return session;
}

/** What a method that takes its time has come to. */
export function endPayment(world: World, id: string, succeeded: boolean): void {
  const session = get(world.sessions, id);
  if (succeeded) takeMoney(world, session);
  const end = succeeded ? "succeeded" : "failed";
  world.tell(`checkout.session.async_payment_${end}`, session);
}

/** Nobody has paid in time. */
export function expire(world: World, id: string): void {
  const session = get(world.sessions, id);
  session.status = "expired";
  world.tell("checkout.session.expired", session);
}

function takeMoney(world: World, session: Session): void {
  const { amount_total, currency, livemode } = session;
  const intent = charge(world, amount_total!, currency!, livemode);
  session.payment_intent = intent.id;
  session.payment_status = "paid";
}
