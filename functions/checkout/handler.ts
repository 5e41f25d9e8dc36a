import type { Authenticate } from "../_shared/auth.ts";
import { parseFields, readBody } from "../_shared/body.ts";
import { explainRefusedValue } from "../_shared/database.ts";
import { readIdempotencyKey } from "../_shared/idempotency_key.ts";
import { bookAll } from "../_shared/payments/book.ts";
import type { PaymentsDatabase } from "../_shared/payments/payments_database.ts";
import { paymentProvider } from "../_shared/payments/registry.ts";
import { returnAddress } from "../_shared/payments/return_to.ts";
import { problemOf } from "../_shared/problem.ts";
import { json, type RequestContext, type Route } from "../_shared/route.ts";
import type { Environment } from "../_shared/settings.ts";
import {
  beginContract,
  checkoutRequest,
  idQuery,
  type OpenedCheckout,
  showContract,
  type ShownCheckout,
} from "./contract.ts";
import { openCheckout } from "./open_checkout.ts";

/** What `checkout` works with. */
export interface CheckoutDependencies {
  authenticate: Authenticate;
  database: PaymentsDatabase;
  environment: Environment;
}

/** The routes of `checkout`: begin to buy, and see what came of it. */
export function checkoutRoutes(dependencies: CheckoutDependencies): Route[] {
  const begin: Route["handler"] = (context) =>
    beginCheckout(context, dependencies).catch(explainRefusedValue);
  const show: Route["handler"] = (context) =>
    showCheckout(context, dependencies).catch(explainRefusedValue);
  return [
    { method: "POST", path: "", contract: beginContract, handler: begin },
    { method: "GET", path: "/:id", contract: showContract, handler: show },
  ];
}

async function beginCheckout(
  { request }: RequestContext,
  { authenticate, database, environment }: CheckoutDependencies,
): Promise<Response> {
  const user = await authenticate(request);
  const idempotencyKey = readIdempotencyKey(request.headers);
  const { account_id, product, quantity, return_to } = await readBody(
    request,
    checkoutRequest,
  );
  const provider = paymentProvider(environment);
  const returnTo = returnAddress(return_to, environment, provider.needsReturn);
  const accountId = account_id ?? user.id;
  const verdict = await database.prepareCheckout(
    { accountId, userId: user.id, product, quantity },
    provider,
  );
  if (verdict.status !== 200) throw problemOf(verdict);
  const checkout = await openCheckout(
    {
      accountId,
      userId: user.id,
      product,
      quantity,
      kind: verdict.kind!,
      priceId: verdict.provider_price_id!,
      unitAmount: verdict.unit_amount!,
      currency: verdict.currency!,
      customer: verdict.customer_id ?? undefined,
      returnTo,
      idempotencyKey,
    },
    provider,
    database,
  );
  return json<OpenedCheckout>(
    {
      checkout_id: checkout.id,
      url: checkout.url,
      expires_at: checkout.expiresAt,
    },
    {},
    201,
  );
}

/** Books by the way what no event has told: so a buyer has the credits even where the webhook was never set up. */
async function showCheckout(
  { request, params }: RequestContext,
  { authenticate, database, environment }: CheckoutDependencies,
): Promise<Response> {
  const user = await authenticate(request);
  const { id } = parseFields(idQuery, params);
  const provider = paymentProvider(environment);
  await bookAll(await provider.readCheckout(id) ?? [], database);
  const found = await database.checkoutStatus(
    user.id,
    `${provider.name}:cs:${id}`,
  );
  if (found.status !== 200) throw problemOf(found);
  const { state, credits, reversed_credits, balance } = found;
  return json<ShownCheckout>({
    checkout_id: id,
    status: state!,
    credits,
    reversed_credits,
    balance,
  });
}
