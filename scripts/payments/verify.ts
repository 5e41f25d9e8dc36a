import { randomUUID } from "node:crypto";
import type Stripe from "stripe";
import { STRIPE_EVENTS } from "../../functions/_shared/payments/stripe_objects.ts";
import { type Check, check, fine, toText } from "../verify/check.ts";
import type { Payments } from "./access.ts";
import { findEndpoint, hasVersion } from "./set_up.ts";

const SET_UP = "npm run payments -- setup";

/** Checks what payments need; 1 where something is wrong. */
export async function verify(
  payments: Payments,
  console: Console,
): Promise<number> {
  const checks = [
    fine("mode", payments.livemode ? "live: real money" : "test: no money"),
    ...await checkEndpoint(payments),
    ...await checkFunction(payments),
    ...await checkProducts(payments),
    await checkDiscrepancies(payments),
  ];
  console.log(toText(checks));
  return checks.every(({ ok }) => ok) ? 0 : 1;
}

async function checkEndpoint(payments: Payments): Promise<Check[]> {
  const endpoint = await findEndpoint(payments);
  const { eventsUrl } = payments;
  if (!endpoint) {
    return [check("endpoint", false, `none for ${eventsUrl}`, SET_UP)];
  }
  const { id, status, api_version, enabled_events } = endpoint;
  const missing = enabled_events.includes("*")
    ? []
    : STRIPE_EVENTS.filter((type) => !enabled_events.includes(type));
  return [
    check("endpoint", status === "enabled", `${id} is ${status}`, SET_UP),
    check(
      "events",
      missing.length === 0,
      missing.length === 0 ? "all" : `missing: ${missing.join(", ")}`,
      SET_UP,
    ),
    check("api version", hasVersion(endpoint), String(api_version), SET_UP),
  ];
}

/** Sends one event as Stripe would, about nothing, and one as anybody could. */
async function checkFunction(payments: Payments): Promise<Check[]> {
  const { secrets } = payments;
  if (secrets.length === 0) {
    return [check(
      "signed event",
      false,
      "PAYMENTS_STRIPE_WEBHOOK_SECRETS is not told here",
      "set it in the environment of this command as for the functions",
    )];
  }
  const forged = await probe(payments, `whsec_${randomUUID()}`);
  return [
    ...await Promise.all(secrets.map(async (secret, at) => {
      const status = await probe(payments, secret);
      return check(
        secrets.length > 1 ? `signed event ${at + 1}` : "signed event",
        status === 200,
        `answered ${status}`,
        status === 400
          ? "the functions have another secret: npx supabase secrets set PAYMENTS_STRIPE_WEBHOOK_SECRETS=…"
          : "deploy payment-events, and set its secrets: docs/payments.md",
      );
    })),
    check(
      "forged event",
      forged === 400,
      `answered ${forged}`,
      "must be 400: deploy the function payment-events of this release",
    ),
  ];
}

async function probe(
  { stripe, eventsUrl, livemode }: Payments,
  secret: string,
): Promise<number> {
  const id = randomUUID();
  const payload = JSON.stringify({
    id: `evt_probe_${id}`,
    object: "event",
    type: "probe",
    created: Math.floor(Date.now() / 1000),
    livemode,
    data: { object: { id: `probe_${id}` } },
  });
  const signature = await stripe.webhooks.generateTestHeaderStringAsync({
    payload,
    secret,
  });
  return await fetch(eventsUrl, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "stripe-signature": signature,
    },
    body: payload,
  }).then(({ status }) => status, () => 0);
}

interface Product {
  name: string;
  kind: string;
  provider_price_id: string;
  unit_amount: number;
  currency: string;
}

/** A product whose price costs something else at the provider would be sold for that. */
async function checkProducts(payments: Payments): Promise<Check[]> {
  const products = await productsInForce(payments);
  if (products.length === 0) {
    return [check(
      "products",
      false,
      "none is enabled",
      "select set_product(…): docs/payments.md",
    )];
  }
  return await Promise.all(
    products.map((product) => checkPrice(product, payments.stripe)),
  );
}

async function productsInForce(
  { client, livemode }: Payments,
): Promise<Product[]> {
  const { data, error } = await client.from("credit_products")
    .select(
      "name, kind, provider_price_id, unit_amount, currency, enabled, effective_from",
    )
    .eq("provider", "stripe").eq("livemode", livemode)
    .lte("effective_from", new Date().toISOString())
    .order("effective_from", { ascending: false });
  if (error) throw new Error(`the products cannot be read: ${error.message}`);
  const newest = new Map<string, typeof data[number]>();
  for (const version of data) {
    if (!newest.has(version.name)) newest.set(version.name, version);
  }
  return [...newest.values()].filter(({ enabled }) => enabled);
}

async function checkPrice(product: Product, stripe: Stripe): Promise<Check> {
  const { name, kind, provider_price_id, unit_amount, currency } = product;
  const title = `price of ${name}`;
  const price = await stripe.prices.retrieve(provider_price_id)
    .catch(() => undefined);
  if (!price) {
    const remedy = "make the price in Stripe, or name another in set_product";
    return check(title, false, `Stripe has no ${provider_price_id}`, remedy);
  }
  const isSame = price.unit_amount === unit_amount &&
    price.currency === currency &&
    (price.recurring !== null) === (kind === "plan");
  const interval = price.recurring ? ` each ${price.recurring.interval}` : "";
  return check(
    title,
    isSame,
    `${price.unit_amount} ${price.currency}${interval}`,
    `the product says ${unit_amount} ${currency} for a ${kind}: correct one of them`,
  );
}

async function checkDiscrepancies({ client }: Payments): Promise<Check> {
  const { data, error } = await client.from("payment_discrepancies")
    .select("discrepancy, payment_key").limit(100);
  if (error) {
    throw new Error(`the discrepancies cannot be read: ${error.message}`);
  }
  const found = data.map((row) => `${row.discrepancy} ${row.payment_key}`);
  return check(
    "discrepancies",
    found.length === 0,
    found.join(", ") || "none",
    "npm run payments -- reconcile; docs/payments.md says what to do about each",
  );
}
