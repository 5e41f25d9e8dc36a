import type { Calls } from "./calls.ts";

const AT = "2026-01-02T00:00:00Z";
const PROVIDER = { provider: "stripe", livemode: true };
const ARGUMENTS = { p_provider: "stripe", p_livemode: true };
const CUSTOMER = { customer: "cus_hosted" };
const KEY = "stripe:cs:cs_hosted";

/** Calls the functions of payments: a pack is bought and refunded in part, a subscription begins. */
export async function sellCredits(
  calls: Calls,
  [user]: readonly [string, string],
): Promise<void> {
  const buyer = { p_account_id: user, p_user_id: user, ...ARGUMENTS };
  await calls.make("set_product", {
    ...ARGUMENTS,
    p_product: "hosted-pack",
    p_settings: {
      provider_price_id: "price_hosted",
      kind: "pack",
      credits: 100,
      unit_amount: 900,
      currency: "usd",
    },
  });
  await calls.make("prepare_checkout", {
    ...buyer,
    p_product: "hosted-pack",
    p_quantity: 1,
  });
  await calls.make("link_payment_customer", {
    p_account_id: user,
    ...ARGUMENTS,
    p_customer_id: CUSTOMER.customer,
  });
  await calls.make("prepare_portal", buyer);
  await bookPack(calls);
  await calls.make("payment_status", { p_user_id: user, p_key: KEY });
  await bookSubscription(calls);
}

async function bookPack(calls: Calls): Promise<void> {
  const payment = {
    ...PROVIDER,
    ...CUSTOMER,
    key: KEY,
    kind: "pack",
    session: "cs_hosted",
    lines: [{ price_id: "price_hosted", quantity: 1, amount: 900 }],
    status: "paid",
    amount: 900,
    currency: "usd",
    created_at: AT,
  };
  const event = { id: "evt_hosted", type: "checkout.session.completed" };
  await calls.make("preview_payment", { p_payment: payment });
  const { outcome, cause } = await calls.make("book_payment", {
    p_payment: payment,
    p_event: { ...event, object: "cs_hosted" },
  });
  if (outcome !== "booked") {
    calls.problems.push(`book_payment: ${outcome} ${cause}`);
  }
  await calls.make("find_payment", {
    p_provider: "stripe",
    p_id: "cs_hosted",
  });
  await calls.make("retry_payment", { p_key: KEY });
  await calls.make("retry_payments");
}

async function bookSubscription(calls: Calls): Promise<void> {
  const subscription = {
    ...PROVIDER,
    ...CUSTOMER,
    subscription: "sub_hosted",
    items: [{ price_id: "price_hosted", quantity: 1 }],
    status: "incomplete",
    created_at: AT,
    as_of: AT,
  };
  await calls.make("preview_subscription", { p_subscription: subscription });
  await calls.make("book_subscription", { p_subscription: subscription });
  await calls.make("follow_subscriptions");
  await calls.make("note_payment_event", {
    p_event: {
      ...PROVIDER,
      id: "evt_other",
      type: "customer.updated",
      object: CUSTOMER.customer,
      created_at: AT,
    },
    p_outcome: "nothing_to_do",
  });
}
