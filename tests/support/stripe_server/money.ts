import {
  type Balance,
  type Charge,
  type Dispute,
  type Intent,
  now,
  PERSONAL,
  type Refund,
} from "./objects.ts";
import { get, keep, newId, type World } from "./world.ts";

/** Stripe's fee for a charge, and for a dispute. */
const FEE = { share: 0.029, fixed: 30, dispute: 1_500 };

/** A buyer's card is charged. */
export function charge(
  world: World,
  amount: number,
  currency: string,
  livemode: boolean,
): Intent {
  const fee = Math.round(amount * FEE.share) + FEE.fixed;
  const balance = move(world, { amount, currency, fee, livemode });
  const intentId = newId("pi");
  const made = keep<Charge>(world.charges, {
    id: newId("ch"),
    object: "charge",
    livemode,
    amount,
    amount_captured: amount,
    amount_refunded: 0,
    refunded: false,
    disputed: false,
    currency,
    created: now(),
    status: "succeeded",
    payment_intent: intentId,
    balance_transaction: balance.id,
    billing_details: {
      name: PERSONAL.name,
      email: PERSONAL.email,
      address: { line1: PERSONAL.line1 },
    },
    payment_method_details: { card: { last4: PERSONAL.last4 } },
  });
  return keep<Intent>(world.intents, {
    id: intentId,
    object: "payment_intent",
    livemode,
    amount,
    currency,
    status: "succeeded",
    latest_charge: made.id,
  });
}

/** Money comes to the seller's balance, or leaves it; in the currency of their bank account. */
function move(
  world: World,
  moved: { amount: number; currency: string; fee: number; livemode: boolean },
): Balance {
  const { amount, currency, fee, livemode } = moved;
  const { currency: settled, rate } = world.settlement ??
    { currency, rate: 1 };
  return keep<Balance>(world.balances, {
    id: newId("txn"),
    object: "balance_transaction",
    livemode,
    amount: Math.round(amount * rate),
    fee: Math.round(fee * rate),
    currency: settled,
    exchange_rate: settled === currency ? null : rate,
  });
}

/** The charge of an intent. */
export function chargeOf(world: World, intent: string): Charge {
  return get(world.charges, get(world.intents, intent).latest_charge);
}

/** The seller gives money back; a bank may still say no, or say nothing yet. */
export function refund(
  world: World,
  intent: string,
  amount: number,
  status: "succeeded" | "pending" = "succeeded",
): Refund {
  const charged = chargeOf(world, intent);
  count(charged, amount);
  const made = keep<Refund>(world.refunds, {
    id: newId("re"),
    object: "refund",
    livemode: charged.livemode,
    charge: charged.id,
    payment_intent: intent,
    amount,
    currency: charged.currency,
    created: now(),
    status,
  });
  world.tell("refund.created", made);
  world.tell("charge.refunded", charged);
  return made;
}

/** The buyer's bank has said what becomes of a refund. */
export function endRefund(
  world: World,
  id: string,
  status: "succeeded" | "failed",
): void {
  const made = get(world.refunds, id);
  if (status === "failed") count(get(world.charges, made.charge), -made.amount);
  made.status = status;
  world.tell(status === "failed" ? "refund.failed" : "refund.updated", made);
}

function count(charged: Charge, amount: number): void {
  charged.amount_refunded += amount;
  charged.refunded = charged.amount_refunded === charged.amount;
}

/** A buyer's bank asks for money back; `currency` where it reckons in another than the charge's. */
export function dispute(
  world: World,
  intent: string,
  { amount, currency }: { amount?: number; currency?: string } = {},
): Dispute {
  const charged = chargeOf(world, intent);
  charged.disputed = true;
  const opened = keep<Dispute>(world.disputes, {
    id: newId("dp"),
    object: "dispute",
    livemode: charged.livemode,
    charge: charged.id,
    payment_intent: intent,
    amount: amount ?? charged.amount,
    currency: currency ?? charged.currency,
    created: now(),
    status: "needs_response",
    balance_transactions: [],
  });
  world.tell("charge.dispute.created", opened);
  return opened;
}

/** The disputed money leaves the seller's balance, with a fee. */
export function withdraw(world: World, id: string): void {
  moveDisputed(world, id, -1);
  world.tell("charge.dispute.funds_withdrawn", get(world.disputes, id));
}

/** It comes back. */
export function reinstate(world: World, id: string): void {
  moveDisputed(world, id, 1);
  world.tell("charge.dispute.funds_reinstated", get(world.disputes, id));
}

function moveDisputed(world: World, id: string, sign: 1 | -1): void {
  const disputed = get(world.disputes, id);
  const charged = get(world.charges, disputed.charge);
  // A dispute in a third currency is taken by what the whole charge was.
  const amount = disputed.currency === charged.currency
    ? disputed.amount
    : charged.amount;
  disputed.balance_transactions.push(move(world, {
    amount: sign * amount,
    currency: charged.currency,
    fee: sign < 0 ? FEE.dispute : 0,
    livemode: charged.livemode,
  }));
}

/** The bank has decided. */
export function closeDispute(
  world: World,
  id: string,
  status: "won" | "lost" | "warning_closed",
): void {
  const disputed = get(world.disputes, id);
  disputed.status = status;
  world.tell("charge.dispute.closed", disputed);
}
