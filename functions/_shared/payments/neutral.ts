// What the functions tell the database of a payment, the same for each provider. Amounts are in the currency's
// smallest unit. There is no card, address, mail or name in it. Types, not interfaces: only a type can be passed on
// as JSON.

/** What a payment is for. */
export type PaymentLine = {
  price_id: string | null;
  quantity: number;
  /** Before discounts; negative for time that is given back in a proration. */
  amount: number;
  is_proration: boolean;
  period_start: string | null;
  period_end: string | null;
};

/** Money on its way back to a buyer. */
export type PaymentRefund = {
  id: string;
  amount: number;
  status: "pending" | "succeeded" | "failed";
};

/** A dispute of a payment, in the payment's currency: what was taken from the seller, and what came back. */
export type PaymentDispute = {
  id: string;
  status: "open" | "closed" | "lost" | "won";
  amount: number;
  withdrawn: number;
  reinstated: number;
  fee: number;
  opened_at: string;
};

/** How a payment stands at its provider now. */
export type PaymentState = {
  provider: string;
  livemode: boolean;
  /** Names the payment for good: `stripe:cs:<session>`, `stripe:in:<invoice>`. */
  key: string;
  kind: "pack" | "plan";
  session: string | null;
  invoice: string | null;
  intent: string | null;
  charge: string | null;
  customer: string | null;
  subscription: string | null;
  /** What our own checkout wrote down; the account is the customer's all the same. */
  account_id: string | null;
  lines: PaymentLine[];
  status: "open" | "unpaid" | "expired" | "void" | "paid";
  /** What was really paid. */
  amount: number;
  currency: string;
  refunds: PaymentRefund[];
  disputes: PaymentDispute[];
  fee: number | null;
  paid_at: string | null;
  created_at: string;
};

/** How a subscription stands at its provider now. */
export type SubscriptionState = {
  provider: string;
  livemode: boolean;
  subscription: string;
  customer: string;
  account_id: string | null;
  items: { price_id: string; quantity: number }[];
  status:
    | "active"
    | "trialing"
    | "past_due"
    | "unpaid"
    | "canceled"
    | "incomplete"
    | "incomplete_expired"
    | "paused";
  cancel_at_period_end: boolean;
  current_period_start: string | null;
  current_period_end: string | null;
  trial_end: string | null;
  created_at: string;
  /** The clock before this state was asked for: of two states, that of the later question counts. */
  as_of: string;
};

/** Something that can be booked. */
export type Bookable =
  | { payment: PaymentState }
  | { subscription: SubscriptionState };

/** A provider's word that something changed. */
export type PaymentEvent = {
  provider: string;
  livemode: boolean;
  id: string;
  type: string;
  /** Id of the object that changed; null where it has none. */
  object: string | null;
  created_at: string;
};

/** A time as the database reads it; providers count seconds. */
export function timeOf(seconds: number): string;
export function timeOf(seconds: number | null | undefined): string | null;
export function timeOf(seconds: number | null | undefined): string | null {
  return typeof seconds === "number"
    ? new Date(seconds * 1000).toISOString()
    : null;
}
