import type Stripe from "stripe";
import { type PaymentLine, type PaymentState, timeOf } from "./neutral.ts";
import { type Charged, idOf, readCharges } from "./stripe_charges.ts";

const CHARGE = ["latest_charge.balance_transaction", "latest_charge.refunds"];

/** What a session is read with: its lines, and what was charged. */
export const SESSION_EXPANSION = [
  "line_items",
  ...CHARGE.map((member) => `payment_intent.${member}`),
];

/** What our checkout writes to a session and to a subscription, as metadata. */
export function ownMetadata(accountId: string, product: string) {
  return { account_id: accountId, product };
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The account that metadata names; null for another word: other apps of the seller may use the same name. */
export function accountOf(metadata: Stripe.Metadata | null): string | null {
  const named = metadata?.account_id ?? "";
  return ID.test(named) ? named : null;
}

/** A one-off payment as it stands. */
export async function paymentOfSession(
  stripe: Stripe,
  session: Stripe.Checkout.Session,
): Promise<PaymentState> {
  const { payment_intent: intent } = session;
  const expanded = typeof intent === "object" && intent ? [intent] : [];
  const charged = await readCharges(stripe, expanded);
  // The metadata of a payment link is not ours: nobody asked this server for it.
  const own = session.payment_link ? null : session.metadata;
  return {
    provider: "stripe",
    livemode: session.livemode,
    key: `stripe:cs:${session.id}`,
    kind: "pack",
    session: session.id,
    invoice: null,
    intent: idOf(intent),
    charge: charged?.charge ?? null,
    customer: idOf(session.customer),
    subscription: null,
    account_id: accountOf(own),
    lines: (session.line_items?.data ?? []).map(lineOfSession),
    status: statusOfSession(session),
    ...amounts(charged, session.amount_total ?? 0, session.currency ?? ""),
    paid_at: charged?.paidAt ??
      (session.status === "complete" ? timeOf(session.created) : null),
    created_at: timeOf(session.created),
  };
}

function lineOfSession(
  { price, quantity, amount_subtotal }: Stripe.LineItem,
): PaymentLine {
  return {
    price_id: price?.id ?? null,
    quantity: quantity ?? 1,
    amount: amount_subtotal,
    is_proration: false,
    period_start: null,
    period_end: null,
  };
}

function statusOfSession(
  { status, payment_status }: Stripe.Checkout.Session,
): PaymentState["status"] {
  if (status === "complete") {
    return payment_status === "unpaid" ? "unpaid" : "paid";
  }
  return status === "expired" ? "expired" : "open";
}

/** A subscription's invoice as it stands; null for an invoice of something else. */
export async function paymentOfInvoice(
  stripe: Stripe,
  id: string,
): Promise<PaymentState | null> {
  const invoice = await stripe.invoices.retrieve(id, { expand: ["payments"] });
  const details = invoice.parent?.subscription_details;
  if (!details) return null;
  const [intents, lines] = await Promise.all([
    readIntents(stripe, invoice),
    readLines(stripe, invoice),
  ]);
  const charged = await readCharges(stripe, intents);
  const paidAt = timeOf(invoice.status_transitions.paid_at);
  return {
    provider: "stripe",
    livemode: invoice.livemode,
    key: `stripe:in:${id}`,
    kind: "plan",
    session: null,
    invoice: id,
    intent: charged?.intent ?? null,
    charge: charged?.charge ?? null,
    customer: idOf(invoice.customer),
    subscription: idOf(details.subscription),
    account_id: accountOf(details.metadata),
    lines,
    status: INVOICES[invoice.status ?? ""] ?? "open",
    ...amounts(charged, invoice.amount_paid, invoice.currency),
    paid_at: paidAt ?? charged?.paidAt ?? null,
    created_at: timeOf(invoice.created),
  };
}

async function readIntents(
  stripe: Stripe,
  { payments }: Stripe.Invoice,
): Promise<Stripe.PaymentIntent[]> {
  const ids = (payments?.data ?? []).flatMap(({ payment }) =>
    idOf(payment.payment_intent) ?? []
  );
  return await Promise.all(
    ids.map((id) => stripe.paymentIntents.retrieve(id, { expand: CHARGE })),
  );
}

async function readLines(
  stripe: Stripe,
  { id, lines }: Stripe.Invoice,
): Promise<PaymentLine[]> {
  if (!lines.has_more) return lines.data.map(lineOfInvoice);
  const all: PaymentLine[] = [];
  const pages = stripe.invoices.listLineItems(id, { limit: 100 });
  for await (const line of pages) all.push(lineOfInvoice(line));
  return all;
}

function lineOfInvoice(line: Stripe.InvoiceLineItem): PaymentLine {
  const { subtotal: amount, period, quantity, parent, pricing } = line;
  const price = pricing?.price_details?.price;
  const { proration } = parent?.subscription_item_details ??
    parent?.invoice_item_details ?? { proration: false };
  return {
    price_id: idOf(price),
    quantity: quantity ?? 1,
    amount,
    is_proration: proration,
    period_start: timeOf(period.start),
    period_end: timeOf(period.end),
  };
}

/** A draft is not asked for yet. */
const INVOICES: Record<string, PaymentState["status"]> = {
  paid: "paid",
  void: "void",
  uncollectible: "unpaid",
};

/** The charges' own amounts; what the provider says was paid, where nothing was charged. */
function amounts(
  charged: Charged | undefined,
  amount: number,
  currency: string,
) {
  const none = { amount, currency, refunds: [], disputes: [], fee: null };
  const { refunds, disputes, fee, ...paid } = charged ?? none;
  return {
    amount: paid.amount,
    currency: paid.currency,
    refunds,
    disputes,
    fee,
  };
}
