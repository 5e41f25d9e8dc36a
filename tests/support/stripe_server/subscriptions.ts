import { charge } from "./money.ts";
import {
  type Invoice,
  type InvoiceLine,
  type LineItem,
  now,
  type Session,
  type Subscription,
} from "./objects.ts";
import { get, keep, newId, type World } from "./world.ts";

const MONTH = 30 * 86_400;

/** One line of an invoice that is to be written. */
interface Position {
  price: string;
  quantity: number;
  amount: number;
  isProration?: boolean;
}

/** A paid session becomes a subscription with its first invoice. */
export function subscribe(
  world: World,
  session: Session,
  items: readonly LineItem[],
  metadata: Record<string, string>,
): { subscription: Subscription; invoice: Invoice } {
  const start = now();
  const subscription = keep<Subscription>(world.subscriptions, {
    id: newId("sub"),
    object: "subscription",
    livemode: session.livemode,
    status: "active",
    created: start,
    cancel_at_period_end: false,
    cancel_at: null,
    trial_end: null,
    metadata,
    customer: session.customer!,
    items: {
      object: "list",
      data: items.map(({ price, quantity }) => ({
        price,
        quantity: quantity ?? 1,
        current_period_start: start,
        current_period_end: start + MONTH,
      })),
    },
  });
  world.tell("customer.subscription.created", subscription);
  const positions = items.map(({ price, quantity, amount_total }) => ({
    price: price.id,
    quantity: quantity ?? 1,
    amount: amount_total,
  }));
  const invoice = invoiceOf(world, subscription, positions);
  payInvoice(world, invoice.id);
  return { subscription, invoice };
}

/** Writes an open invoice over what a subscription costs. */
export function invoiceOf(
  world: World,
  subscription: Subscription,
  positions: readonly Position[],
): Invoice {
  const [item] = subscription.items.data;
  const lines = positions.map<InvoiceLine>((position) => ({
    id: newId("il"),
    amount: position.amount,
    subtotal: position.amount,
    quantity: position.quantity,
    period: {
      start: item!.current_period_start,
      end: item!.current_period_end,
    },
    pricing: { price_details: { price: position.price } },
    parent: {
      subscription_item_details: { proration: position.isProration ?? false },
    },
  }));
  return keep<Invoice>(world.invoices, {
    id: newId("in"),
    object: "invoice",
    livemode: subscription.livemode,
    amount_paid: 0,
    currency: get(world.prices, positions[0]!.price).currency,
    created: now(),
    status: "open",
    customer: subscription.customer,
    status_transitions: { paid_at: null },
    parent: {
      subscription_details: {
        subscription: subscription.id,
        metadata: subscription.metadata,
      },
    },
    lines: { object: "list", data: lines, has_more: false },
  });
}

/** The customer's card pays an invoice; nothing moves where nothing is to be paid. */
export function payInvoice(world: World, id: string): void {
  const invoice = get(world.invoices, id);
  const { currency, livemode } = invoice;
  const due = invoice.lines.data.reduce((sum, { amount }) => sum + amount, 0);
  if (due > 0) {
    const intent = charge(world, due, currency, livemode);
    keep(world.invoicePayments, {
      id: newId("inpay"),
      object: "invoice_payment",
      livemode,
      created: now(),
      invoice: id,
      payment: { type: "payment_intent", payment_intent: intent.id },
    });
  }
  invoice.amount_paid = Math.max(0, due);
  invoice.status = "paid";
  invoice.status_transitions.paid_at = now();
  world.tell("invoice.paid", invoice);
}

/** The next period begins: its invoice is paid, or the card is refused. */
export function renew(
  world: World,
  id: string,
  { isPaid = true } = {},
): Invoice {
  const subscription = get(world.subscriptions, id);
  for (const item of subscription.items.data) {
    item.current_period_start = item.current_period_end;
    item.current_period_end += MONTH;
  }
  const positions = subscription.items.data.map(({ price, quantity }) => ({
    price: price.id,
    quantity,
    amount: get(world.prices, price.id).unit_amount * quantity,
  }));
  const invoice = invoiceOf(world, subscription, positions);
  if (isPaid) {
    payInvoice(world, invoice.id);
  } else {
    subscription.status = "past_due";
    world.tell("invoice.payment_failed", invoice);
  }
  world.tell("customer.subscription.updated", subscription);
  return invoice;
}

/** A dearer price in mid-period: half of the old one comes back, half of the new one is asked for. */
export function upgrade(world: World, id: string, price: string): Invoice {
  const subscription = get(world.subscriptions, id);
  const [item] = subscription.items.data;
  const half = (of: string) =>
    Math.round(get(world.prices, of).unit_amount * item!.quantity / 2);
  const old = item!.price.id;
  item!.price = { id: price };
  world.tell("customer.subscription.updated", subscription);
  const { quantity } = item!;
  const invoice = invoiceOf(world, subscription, [
    { price: old, quantity, amount: -half(old), isProration: true },
    { price, quantity, amount: half(price), isProration: true },
  ]);
  payInvoice(world, invoice.id);
  return invoice;
}

/** The customer wants no further period, or an end at once. */
export function cancel(
  world: World,
  id: string,
  when: "at_period_end" | "now",
): void {
  const subscription = get(world.subscriptions, id);
  if (when === "now") {
    subscription.status = "canceled";
    return world.tell("customer.subscription.deleted", subscription);
  }
  subscription.cancel_at_period_end = true;
  world.tell("customer.subscription.updated", subscription);
}
