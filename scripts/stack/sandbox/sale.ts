import { randomUUID } from "node:crypto";
import type {
  Bookable,
  PaymentState,
  SubscriptionState,
} from "../../../functions/_shared/payments/neutral.ts";
import type { CheckoutOrder } from "../../../functions/_shared/payments/provider.ts";

/** A checkout of the sandbox, and what has come of it. */
export interface Sale {
  readonly id: string;
  readonly order: CheckoutOrder;
  readonly createdAt: string;
  readonly expiresAt: string;
  payment: PaymentState;
  subscription?: SubscriptionState;
}

const DAY_MS = 86_400_000;
const PERIOD_MS = 30 * DAY_MS;
/** The sandbox keeps as much as a provider would: so the books show a fee. */
const FEE = { share: 0.029, fixed: 30 };

/** A checkout that nobody has paid yet. */
export function newSale(order: CheckoutOrder): Sale {
  const id = `sandbox_${randomUUID().replaceAll("-", "")}`;
  const createdAt = new Date().toISOString();
  const isPlan = order.kind === "plan";
  const payment: PaymentState = {
    provider: "sandbox",
    livemode: false,
    key: `sandbox:${isPlan ? "in" : "cs"}:${id}`,
    kind: order.kind,
    session: id,
    invoice: isPlan ? id : null,
    intent: null,
    charge: null,
    customer: order.customer,
    subscription: isPlan ? `${id}_subscription` : null,
    account_id: order.accountId,
    lines: [{
      price_id: order.priceId,
      quantity: order.quantity,
      amount: order.unitAmount * order.quantity,
      is_proration: false,
      period_start: isPlan ? createdAt : null,
      period_end: isPlan ? after(createdAt, PERIOD_MS) : null,
    }],
    status: "open",
    amount: 0,
    currency: order.currency,
    refunds: [],
    disputes: [],
    fee: null,
    paid_at: null,
    created_at: createdAt,
  };
  const expiresAt = after(createdAt, DAY_MS);
  return { id, order, createdAt, expiresAt, payment };
}

function after(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}

/** What is to be booked of a sale. */
export function bookablesOf({ payment, subscription }: Sale): Bookable[] {
  return subscription ? [{ payment }, { subscription }] : [{ payment }];
}

/** What a person can do to a sale, by the name in the form. Each changes nothing where it does not apply. */
export const ACTS: Record<string, (sale: Sale, amount: number) => void> = {
  pay,
  decline: ({ payment }) => {
    if (payment.status === "open") payment.status = "expired";
  },
  refund,
  dispute,
  win: (sale) => decide(sale, "won"),
  lose: (sale) => decide(sale, "lost"),
  cancel: ({ subscription }) => {
    if (subscription) {
      subscription.status = "canceled";
      subscription.as_of = new Date().toISOString();
    }
  },
};

function pay(sale: Sale): void {
  const { payment, order } = sale;
  if (payment.status !== "open") return;
  payment.status = "paid";
  payment.amount = order.unitAmount * order.quantity;
  payment.fee = Math.round(payment.amount * FEE.share) + FEE.fixed;
  payment.paid_at = new Date().toISOString();
  payment.charge = `${sale.id}_charge`;
  const [line] = payment.lines;
  if (!payment.subscription) return;
  sale.subscription = {
    provider: "sandbox",
    livemode: false,
    subscription: payment.subscription,
    customer: order.customer,
    account_id: order.accountId,
    items: [{ price_id: order.priceId, quantity: order.quantity }],
    status: "active",
    cancel_at_period_end: false,
    current_period_start: line!.period_start,
    current_period_end: line!.period_end,
    trial_end: null,
    created_at: sale.createdAt,
    as_of: payment.paid_at,
  };
}

/** What of the payment has neither gone back nor is disputed. */
export function refundable(payment: PaymentState): number {
  const refunded = payment.refunds.reduce((sum, one) => sum + one.amount, 0);
  const disputed = payment.disputes.reduce(
    (sum, { withdrawn, reinstated }) => sum + withdrawn - reinstated,
    0,
  );
  return payment.amount - refunded - disputed;
}

function refund({ id, payment }: Sale, wanted: number): void {
  const amount = Math.min(wanted, refundable(payment));
  if (payment.status !== "paid" || !(amount > 0)) return;
  payment.refunds.push({
    id: `${id}_refund_${payment.refunds.length + 1}`,
    amount,
    status: "succeeded",
  });
}

/** The buyer's bank takes at once what has not gone back yet. */
function dispute({ id, payment }: Sale): void {
  const amount = refundable(payment);
  if (payment.status !== "paid" || amount <= 0) return;
  payment.disputes.push({
    id: `${id}_dispute_${payment.disputes.length + 1}`,
    status: "open",
    amount,
    withdrawn: amount,
    reinstated: 0,
    fee: 1_500,
    opened_at: new Date().toISOString(),
  });
}

function decide({ payment }: Sale, status: "won" | "lost"): void {
  const open = payment.disputes.find((one) => one.status === "open");
  if (!open) return;
  open.status = status;
  if (status === "won") open.reinstated = open.withdrawn;
}
