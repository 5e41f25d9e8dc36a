import type Stripe from "stripe";
import { type PaymentDispute, type PaymentRefund, timeOf } from "./neutral.ts";

/** What the charges of a payment come to, in their own currency. */
export interface Charged {
  amount: number;
  currency: string;
  refunds: PaymentRefund[];
  disputes: PaymentDispute[];
  fee: number | null;
  intent: string | null;
  charge: string;
  paidAt: string;
}

/** The id of what Stripe gives as an id or, expanded, as the object. */
export function idOf(
  reference: string | { id: string } | null | undefined,
): string | null {
  return typeof reference === "string" ? reference : reference?.id ?? null;
}

/** Reads what was charged by these intents; undefined where nothing was. */
export async function readCharges(
  stripe: Stripe,
  intents: readonly Stripe.PaymentIntent[],
): Promise<Charged | undefined> {
  const charges = intents.flatMap(({ latest_charge }) =>
    typeof latest_charge === "object" && latest_charge?.status === "succeeded"
      ? [latest_charge]
      : []
  );
  const parts = await Promise.all(
    charges.map((charge) => readCharge(stripe, charge)),
  );
  const [first] = parts;
  if (!first) return undefined;
  const fees = parts.flatMap(({ fee }) => fee ?? []);
  return {
    ...first,
    amount: sum(parts, ({ amount }) => amount),
    refunds: parts.flatMap(({ refunds }) => refunds),
    disputes: parts.flatMap(({ disputes }) => disputes),
    fee: fees.length === parts.length ? sum(fees, (fee) => fee) : null,
  };
}

async function readCharge(
  stripe: Stripe,
  charge: Stripe.Charge,
): Promise<Charged> {
  const [refunds, disputes] = await Promise.all([
    readRefunds(stripe, charge),
    charge.disputed ? readDisputes(stripe, charge) : [],
  ]);
  const { amount_captured: amount, currency, created } = charge;
  return {
    amount,
    currency,
    refunds,
    disputes,
    fee: feeOf(charge),
    intent: idOf(charge.payment_intent),
    charge: charge.id,
    paidAt: timeOf(created),
  };
}

/** All of them: one that failed must be known as failed, though the charge no longer counts it. */
async function readRefunds(
  stripe: Stripe,
  { id, refunds }: Stripe.Charge,
): Promise<PaymentRefund[]> {
  if (refunds && !refunds.has_more) return refunds.data.map(toRefund);
  const all: PaymentRefund[] = [];
  const pages = stripe.refunds.list({ charge: id, limit: 100 });
  for await (const refund of pages) all.push(toRefund(refund));
  return all;
}

function toRefund({ id, amount, status }: Stripe.Refund): PaymentRefund {
  return { id, amount, status: REFUNDS[status ?? ""] ?? "pending" };
}

const REFUNDS: Record<string, PaymentRefund["status"]> = {
  succeeded: "succeeded",
  failed: "failed",
  canceled: "failed",
};

async function readDisputes(
  stripe: Stripe,
  charge: Stripe.Charge,
): Promise<PaymentDispute[]> {
  const disputes: PaymentDispute[] = [];
  const pages = stripe.disputes.list({ charge: charge.id, limit: 100 });
  for await (const dispute of pages) disputes.push(toDispute(dispute, charge));
  return disputes;
}

function toDispute(
  dispute: Stripe.Dispute,
  charge: Stripe.Charge,
): PaymentDispute {
  const moved = dispute.balance_transactions;
  const taken = moved.filter(({ amount }) => amount < 0);
  const returned = moved.filter(({ amount }) => amount > 0);
  const inCharge = rate(dispute, charge, taken[0]?.amount);
  const withdrawn = inCharge(sum(taken, ({ amount }) => -amount));
  return {
    id: dispute.id,
    status: CASES[dispute.status] ?? "open",
    amount: dispute.currency === charge.currency
      ? dispute.amount
      : charge.amount_captured,
    withdrawn,
    reinstated: Math.round(withdrawn * shareReturned(taken, returned)),
    fee: inCharge(sum(moved, ({ fee }) => fee)),
    opened_at: timeOf(dispute.created),
  };
}

/**
 * Which share of what was taken has come back. Each movement is converted at the rate of its own day, so both are
 * compared without it; what differs by rounding alone is all of it.
 */
function shareReturned(
  taken: readonly Stripe.BalanceTransaction[],
  returned: readonly Stripe.BalanceTransaction[],
): number {
  const day = taken[0]?.exchange_rate ?? 1;
  const atOneRate = (moved: readonly Stripe.BalanceTransaction[]) =>
    Math.abs(sum(moved, (one) => one.amount * day / (one.exchange_rate ?? 1)));
  const [out, back] = [atOneRate(taken), atOneRate(returned)];
  if (out === 0) return 0;
  return Math.abs(back - out) <= 2 + out / 10_000 ? 1 : back / out;
}

/**
 * Brings an amount of the seller's balance into the charge's currency: by what was withdrawn for the dispute's own
 * amount, or, where that is in a third currency, by what the charge itself brought.
 */
function rate(
  dispute: Stripe.Dispute,
  charge: Stripe.Charge,
  firstTaken: number | undefined,
): (amount: number) => number {
  const brought = balanceOf(charge)?.amount;
  const [settled, charged] = dispute.currency === charge.currency
    ? [-(firstTaken ?? 0), dispute.amount]
    : [brought ?? 0, charge.amount_captured];
  return (amount) =>
    settled > 0 ? Math.round(amount * charged / settled) : amount;
}

/** What is not listed is still open. */
const CASES: Record<string, PaymentDispute["status"]> = {
  won: "won",
  lost: "lost",
  warning_closed: "closed",
  prevented: "closed",
};

/** What Stripe keeps of a charge, in the charge's own currency. */
function feeOf(charge: Stripe.Charge): number | null {
  const balance = balanceOf(charge);
  if (!balance) return null;
  const { fee, amount, currency } = balance;
  if (currency === charge.currency || amount === 0) return fee;
  return Math.round(fee * charge.amount_captured / amount);
}

function balanceOf(charge: Stripe.Charge): Stripe.BalanceTransaction | null {
  const { balance_transaction: balance } = charge;
  return typeof balance === "object" ? balance : null;
}

function sum<T>(list: readonly T[], amount: (item: T) => number): number {
  return list.reduce((total, item) => total + amount(item), 0);
}
