// The members of Stripe's objects that are read here, in the forms of API 2026-10-28.endive, and some that must
// reach neither our tables nor our logs.
import type Stripe from "stripe";

/** Times are seconds, as Stripe counts them. */
export const now = (): number => Math.floor(Date.now() / 1000);

export type Price = Pick<Stripe.Price, "id" | "livemode" | "currency"> & {
  unit_amount: number;
  recurring: { interval: "month" } | null;
};

export type Customer = Pick<Stripe.Customer, "id" | "livemode" | "metadata"> & {
  email: string;
};

export type Session =
  & Pick<
    Stripe.Checkout.Session,
    | "id"
    | "livemode"
    | "mode"
    | "status"
    | "payment_status"
    | "metadata"
    | "amount_total"
    | "currency"
    | "created"
    | "expires_at"
    | "url"
    | "success_url"
    | "cancel_url"
    | "client_reference_id"
  >
  & {
    object: "checkout.session";
    customer: string | null;
    payment_intent: string | null;
    invoice: string | null;
    subscription: string | null;
    payment_link: string | null;
    customer_details: { email: string; name: string };
  };

export type LineItem =
  & Pick<
    Stripe.LineItem,
    "id" | "quantity" | "amount_total" | "amount_subtotal"
  >
  & { price: Pick<Price, "id"> };

export type Intent =
  & Pick<Stripe.PaymentIntent, "id" | "livemode" | "amount" | "currency">
  & { object: "payment_intent"; status: string; latest_charge: string };

export type Charge =
  & Pick<
    Stripe.Charge,
    | "id"
    | "livemode"
    | "amount"
    | "amount_captured"
    | "amount_refunded"
    | "refunded"
    | "disputed"
    | "currency"
    | "created"
    | "status"
  >
  & {
    object: "charge";
    payment_intent: string;
    balance_transaction: string;
    billing_details: { name: string; email: string; address: unknown };
    payment_method_details: { card: { last4: string } };
  };

export type Balance =
  & Pick<
    Stripe.BalanceTransaction,
    "id" | "amount" | "fee" | "currency" | "exchange_rate"
  >
  & { object: "balance_transaction"; livemode: boolean };

export type Refund =
  & Pick<
    Stripe.Refund,
    "id" | "amount" | "currency" | "created" | "status"
  >
  & {
    object: "refund";
    livemode: boolean;
    charge: string;
    payment_intent: string;
  };

export type Dispute =
  & Pick<
    Stripe.Dispute,
    "id" | "livemode" | "amount" | "currency" | "created" | "status"
  >
  & {
    object: "dispute";
    charge: string;
    payment_intent: string;
    balance_transactions: Balance[];
  };

export type InvoiceLine =
  & Pick<Stripe.InvoiceLineItem, "id" | "amount" | "subtotal" | "quantity">
  & {
    period: { start: number; end: number };
    pricing: { price_details: { price: string } };
    parent: { subscription_item_details: { proration: boolean } };
  };

export type Invoice =
  & Pick<
    Stripe.Invoice,
    "id" | "livemode" | "amount_paid" | "currency" | "created" | "status"
  >
  & {
    object: "invoice";
    customer: string;
    status_transitions: { paid_at: number | null };
    parent: {
      subscription_details: {
        subscription: string;
        metadata: Record<string, string>;
      };
    };
    lines: { object: "list"; data: InvoiceLine[]; has_more: boolean };
  };

export type InvoicePayment = {
  id: string;
  object: "invoice_payment";
  livemode: boolean;
  created: number;
  invoice: string;
  payment: { type: "payment_intent"; payment_intent: string };
};

export type Subscription =
  & Pick<
    Stripe.Subscription,
    | "id"
    | "livemode"
    | "status"
    | "created"
    | "cancel_at_period_end"
    | "cancel_at"
    | "trial_end"
    | "metadata"
  >
  & {
    object: "subscription";
    customer: string;
    items: {
      object: "list";
      data: {
        price: Pick<Price, "id">;
        quantity: number;
        current_period_start: number;
        current_period_end: number;
      }[];
    };
  };

export type Endpoint =
  & Pick<
    Stripe.WebhookEndpoint,
    "id" | "livemode" | "url" | "enabled_events" | "api_version" | "status"
  >
  & { object: "webhook_endpoint"; secret: string; created: number };

/** An event, and whether somebody has taken it. */
export interface Happening {
  readonly event: {
    id: string;
    object: "event";
    type: string;
    api_version: string;
    created: number;
    livemode: boolean;
    data: { object: { id?: string } };
    pending_webhooks: number;
    request: null;
  };
  delivered: boolean;
}

/** What a page or a bank tells that is nobody's business here. */
export const PERSONAL = {
  name: "Zebedee Quillfeather",
  email: "zebedee.quillfeather@buyers.example",
  line1: "17 Nowhere Crescent",
  last4: "4929",
} as const;
