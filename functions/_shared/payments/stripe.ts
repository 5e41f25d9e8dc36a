import type Stripe from "stripe";
import { logEvent } from "../log.ts";
import { paymentsNotSetUp } from "../problem.ts";
import type { Environment } from "../settings.ts";
import { timeOf } from "./neutral.ts";
import type { Checkout, CheckoutOrder, PaymentProvider } from "./provider.ts";
import { stripeAccess } from "./stripe_client.ts";
import { explainStripe, isMissing } from "./stripe_failure.ts";
import { readObject } from "./stripe_objects.ts";
import { ownMetadata } from "./stripe_payments.ts";

type SessionParams = Stripe.Checkout.SessionCreateParams;

/** Who reckons the tax: `automatic` is Stripe Tax, `managed` makes Stripe the merchant of record. */
const TAX: Record<string, SessionParams> = {
  automatic: {
    automatic_tax: { enabled: true },
    customer_update: { address: "auto" },
  },
  managed: { managed_payments: { enabled: true } },
};

/** Stripe, where PAYMENTS_STRIPE_KEY is set. */
export function stripeProvider(
  environment: Environment,
): PaymentProvider | undefined {
  const access = stripeAccess(environment);
  if (!access) return undefined;
  const { stripe, livemode } = access;
  const tax = taxParams(environment("PAYMENTS_STRIPE_TAX"));
  return {
    name: "stripe",
    livemode,
    needsReturn: true,
    createCustomer: async (accountId) => {
      const { id } = await stripe.customers.create(
        { metadata: { account_id: accountId } },
        { idempotencyKey: `credits-customer-${accountId}` },
      ).catch(explainStripe);
      return id;
    },
    createCheckout: async (order) => {
      const { idempotencyKey } = order;
      const session = await stripe.checkout.sessions.create(
        { ...sessionParams(order), ...tax },
        { idempotencyKey },
      ).catch(explainStripe);
      return toCheckout(session);
    },
    readCheckout: (id) =>
      readObject(stripe, { kind: "session", id }).catch(absentOrFailed),
    portalUrl: async (customer, returnTo) => {
      const session = await stripe.billingPortal.sessions.create({
        customer,
        return_url: returnTo,
      }).catch(explainStripe);
      return session.url;
    },
  };
}

/** A word that is not known sells nothing: somebody means tax to be paid, and none would be. */
function taxParams(word: string | undefined): SessionParams {
  if (!word) return {};
  const params = Object.hasOwn(TAX, word) ? TAX[word] : undefined;
  if (params) return params;
  const remedy = `Set PAYMENTS_STRIPE_TAX to ${Object.keys(TAX).join(" or ")}.`;
  logEvent("error", "misconfigured", {
    variable: "PAYMENTS_STRIPE_TAX",
    remedy,
  });
  throw paymentsNotSetUp(remedy);
}

function absentOrFailed(error: unknown): null {
  return isMissing(error) ? null : explainStripe(error);
}

function sessionParams(order: CheckoutOrder): SessionParams {
  const { accountId, product, kind, priceId, quantity, customer } = order;
  const metadata = ownMetadata(accountId, product);
  return {
    ui_mode: "hosted_page",
    mode: kind === "pack" ? "payment" : "subscription",
    customer,
    client_reference_id: accountId,
    line_items: [{ price: priceId, quantity }],
    metadata,
    ...kind === "plan" && { subscription_data: { metadata } },
    ...returnAddresses(order.returnTo!),
  };
}

const PLACEHOLDER = "CHECKOUT-SESSION-ID";

/** Stripe writes the session's id into the address itself; it knows the place by its braces, which a URL would encode. */
function returnAddresses(returnTo: string) {
  const success = new URL(returnTo);
  success.searchParams.set("checkout_id", PLACEHOLDER);
  return {
    success_url: success.href.replace(PLACEHOLDER, "{CHECKOUT_SESSION_ID}"),
    cancel_url: returnTo,
  };
}

function toCheckout(
  { id, url, expires_at }: Stripe.Checkout.Session,
): Checkout {
  return { id, url: url ?? "", expiresAt: timeOf(expires_at) };
}
