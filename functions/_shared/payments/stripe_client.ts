import Stripe from "stripe";
import { logEvent } from "../log.ts";
import type { Environment } from "../settings.ts";

/** Longest that one call of Stripe may take, in milliseconds; a buyer waits for it. */
const TIMEOUT_MS = 15_000;

/** A key and what it opens. */
export interface StripeAccess {
  stripe: Stripe;
  livemode: boolean;
}

const KEY = /^(sk|rk)_(live|test)_\w+$/;

/**
 * Opens Stripe by PAYMENTS_STRIPE_KEY. Not STRIPE_SECRET_KEY: Supabase's own integration has a secret of that
 * name, which may be another account's.
 *
 * @returns undefined without a key, or with one that has another form; the log then names the variable, never its value
 */
export function stripeAccess(
  environment: Environment,
): StripeAccess | undefined {
  const key = environment("PAYMENTS_STRIPE_KEY")?.trim();
  if (!key) return undefined;
  const [, , mode] = KEY.exec(key) ?? [];
  if (!mode) {
    logEvent("error", "misconfigured", {
      variable: "PAYMENTS_STRIPE_KEY",
      remedy:
        "Set PAYMENTS_STRIPE_KEY to a secret or restricted key: sk_live_…, sk_test_…, rk_live_… or rk_test_….",
    });
    return undefined;
  }
  const stripe = new Stripe(key, {
    timeout: TIMEOUT_MS,
    maxNetworkRetries: 2,
    telemetry: false,
    ...addressOf(environment("PAYMENTS_STRIPE_BASE_URL")),
  });
  return { stripe, livemode: mode === "live" };
}

/** Where Stripe is; another address only for tests. */
function addressOf(base: string | undefined) {
  if (!base) return {};
  const { protocol, hostname, port } = new URL(base);
  return {
    host: hostname,
    port: port || undefined,
    protocol: protocol === "http:" ? "http" as const : "https" as const,
  };
}
