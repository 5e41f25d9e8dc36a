import { z } from "zod";
import { DENIALS } from "../denials.ts";
import { logEvent } from "../log.ts";
import { Problem } from "../problem.ts";
import type { Environment } from "../settings.ts";
import type { Bookable } from "./neutral.ts";
import type { PaymentProvider } from "./provider.ts";

const TIMEOUT_MS = 5_000;

const checkout = z.object({
  id: z.string(),
  url: z.string(),
  expiresAt: z.string(),
});

/**
 * A provider that moves no money: npm start runs it on loopback, and tells its address in PAYMENTS_SANDBOX_URL.
 *
 * @returns undefined anywhere else: a project that is not on loopback has no sandbox, also if its variables ask for one
 */
export function sandboxProvider(
  environment: Environment,
): PaymentProvider | undefined {
  const base = environment("PAYMENTS_SANDBOX_URL");
  if (!base) return undefined;
  if (!isLoopback(base) || !isLoopback(environment("SUPABASE_URL"))) {
    logEvent("error", "misconfigured", {
      variable: "PAYMENTS_SANDBOX_URL",
      remedy:
        "Remove PAYMENTS_SANDBOX_URL: the sandbox is for npm start alone.",
    });
    return undefined;
  }
  return {
    name: "sandbox",
    livemode: false,
    needsReturn: false,
    createCustomer: (accountId) => Promise.resolve(`sandbox_${accountId}`),
    createCheckout: async (order) =>
      checkout.parse(
        await send(`${base}/checkouts`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(order),
        }),
      ),
    // The sandbox keeps what it sells in this very form.
    readCheckout: async (id) =>
      await send(`${base}/checkouts/${id}/state`) as Bookable[] | null,
    portalUrl: (customer) => Promise.resolve(`${base}/customers/${customer}`),
  };
}

function isLoopback(address: string | undefined): boolean {
  if (!address || !URL.canParse(address)) return false;
  const { hostname, protocol } = new URL(address);
  return protocol === "http:" &&
    ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
}

/** The sandbox's answer as JSON; null for what is not there. */
async function send(url: string, init: RequestInit = {}): Promise<unknown> {
  let status = 0;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { ...init, signal });
    status = response.status;
    if (status === 404) return null;
    if (response.ok) return await response.json();
  } catch {
    // Said below, as for an answer that is none.
  }
  if (status === 409) {
    const { message } = DENIALS.idempotency_key_reused;
    throw new Problem("idempotency_key_reused", message);
  }
  throw new Problem(
    "payment_provider_failed",
    "The sandbox does not answer: is npm start running? Nothing was bought.",
  );
}
