import type { Authenticate } from "../_shared/auth.ts";
import { readBody } from "../_shared/body.ts";
import { explainRefusedValue } from "../_shared/database.ts";
import type { PaymentsDatabase } from "../_shared/payments/payments_database.ts";
import { paymentProvider } from "../_shared/payments/registry.ts";
import { returnAddress } from "../_shared/payments/return_to.ts";
import { problemOf } from "../_shared/problem.ts";
import { json, type RequestContext, type Route } from "../_shared/route.ts";
import type { Environment } from "../_shared/settings.ts";
import { type Portal, portalContract, portalRequest } from "./contract.ts";

/** What `billing-portal` works with. */
export interface PortalDependencies {
  authenticate: Authenticate;
  database: Pick<PaymentsDatabase, "preparePortal">;
  environment: Environment;
}

/** `POST billing-portal`: the provider's page for invoices, cards and the end of a subscription. */
export function portalRoutes(dependencies: PortalDependencies): Route[] {
  const handler: Route["handler"] = (context) =>
    openPortal(context, dependencies).catch(explainRefusedValue);
  return [{ method: "POST", path: "", contract: portalContract, handler }];
}

async function openPortal(
  { request }: RequestContext,
  { authenticate, database, environment }: PortalDependencies,
): Promise<Response> {
  const user = await authenticate(request);
  const { account_id, return_to } = await readBody(request, portalRequest);
  const provider = paymentProvider(environment);
  const returnTo = returnAddress(return_to, environment, provider.needsReturn);
  const verdict = await database.preparePortal(
    { accountId: account_id ?? user.id, userId: user.id },
    provider,
  );
  if (verdict.status !== 200) throw problemOf(verdict);
  return json<Portal>({
    url: await provider.portalUrl(verdict.customer_id!, returnTo),
  });
}
