import type Stripe from "stripe";
import { type SubscriptionState, timeOf } from "./neutral.ts";
import { idOf } from "./stripe_charges.ts";
import { accountOf } from "./stripe_payments.ts";

/** A subscription as it stands. */
export async function readSubscription(
  stripe: Stripe,
  id: string,
): Promise<SubscriptionState> {
  const asOf = new Date();
  const subscription = await stripe.subscriptions.retrieve(id);
  const items = subscription.items.data;
  const latest = (times: number[]) =>
    times.length > 0 ? timeOf(Math.max(...times)) : null;
  return {
    provider: "stripe",
    livemode: subscription.livemode,
    subscription: id,
    customer: idOf(subscription.customer)!,
    account_id: accountOf(subscription.metadata),
    items: items.map(({ price, quantity }) => ({
      price_id: price.id,
      quantity: quantity ?? 1,
    })),
    status: statusOf(subscription.status),
    cancel_at_period_end: subscription.cancel_at_period_end ||
      subscription.cancel_at !== null,
    current_period_start: latest(
      items.map(({ current_period_start }) => current_period_start),
    ),
    current_period_end: latest(
      items.map(({ current_period_end }) => current_period_end),
    ),
    trial_end: timeOf(subscription.trial_end),
    created_at: timeOf(subscription.created),
    as_of: asOf.toISOString(),
  };
}

const STATUSES: readonly string[] = [
  "active",
  "trialing",
  "past_due",
  "unpaid",
  "canceled",
  "incomplete_expired",
  "paused",
] satisfies SubscriptionState["status"][];

function statusOf(
  status: Stripe.Subscription.Status,
): SubscriptionState["status"] {
  return STATUSES.includes(status)
    ? status as SubscriptionState["status"]
    : "incomplete";
}
