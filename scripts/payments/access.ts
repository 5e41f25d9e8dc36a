import type Stripe from "stripe";
import {
  type OperatorClient,
  operatorClient,
} from "../../functions/_shared/operator_client.ts";
import { stripeAccess } from "../../functions/_shared/payments/stripe_client.ts";
import { projectValues, withoutSlash } from "../environment.ts";
import type { Terminal } from "../terminal.ts";

/** A project, and the provider that takes its payments. */
export interface Payments {
  stripe: Stripe;
  livemode: boolean;
  client: OperatorClient;
  /** Where the provider sends its events. */
  eventsUrl: string;
  /** What events are signed with; none where they are not told here. */
  secrets: readonly string[];
}

/** @throws where the environment does not say which project and which provider, or has no keys for them */
export function openPayments({ env }: Terminal): Payments {
  const value = projectValues(env);
  const needed = (name: string) => {
    const found = value(name);
    if (found) return found;
    throw new Error(
      `${name} is missing: set it, as for the functions (docs/payments.md). The sandbox of npm start needs no set-up.`,
    );
  };
  const url = withoutSlash(needed("SUPABASE_URL"));
  const client = operatorClient(url, needed("SUPABASE_SECRET_KEY"));
  needed("PAYMENTS_STRIPE_KEY");
  const access = stripeAccess(value);
  if (!access) {
    throw new Error(
      "PAYMENTS_STRIPE_KEY is no key of Stripe: set it to sk_live_…, sk_test_…, rk_live_… or rk_test_….",
    );
  }
  const functionsUrl = value("FUNCTIONS_URL") ?? `${url}/functions/v1`;
  return {
    ...access,
    client,
    eventsUrl: `${withoutSlash(functionsUrl)}/payment-events/stripe`,
    secrets: (value("PAYMENTS_STRIPE_WEBHOOK_SECRETS") ?? "").split(/\s+/)
      .filter(Boolean),
  };
}
