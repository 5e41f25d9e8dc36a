import { logEvent } from "../log.ts";
import { paymentsNotSetUp, type Problem } from "../problem.ts";
import type { Environment } from "../settings.ts";
import type { PaymentEvents, PaymentProvider } from "./provider.ts";
import { sandboxProvider } from "./sandbox.ts";
import { stripeProvider } from "./stripe.ts";
import { stripeEvents } from "./stripe_events.ts";

/** Who takes payments here: Stripe where its key is set, else the sandbox of npm start. */
export function paymentProvider(environment: Environment): PaymentProvider {
  const provider = stripeProvider(environment) ?? sandboxProvider(environment);
  if (provider) return provider;
  throw notSetUp("PAYMENTS_STRIPE_KEY");
}

/** Whose events are taken, by the name in their path; undefined for a name that nobody here has. */
export function paymentEvents(
  environment: Environment,
  name: string,
): PaymentEvents | undefined {
  if (name !== "stripe") return undefined;
  const events = stripeEvents(environment);
  if (events) return events;
  throw notSetUp("PAYMENTS_STRIPE_KEY and PAYMENTS_STRIPE_WEBHOOK_SECRETS");
}

function notSetUp(variables: string): Problem {
  logEvent("error", "misconfigured", {
    variable: variables,
    remedy: `Set ${variables}: docs/payments.md.`,
  });
  return paymentsNotSetUp(`set ${variables}.`);
}
