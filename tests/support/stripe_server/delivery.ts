import Stripe from "stripe";
import type { Happening } from "./objects.ts";

const { webhooks } = new Stripe("sk_test_signs_only");

/** How an event is sent. */
export interface Sending {
  /** Where the function is. */
  readonly url: string;
  readonly secret: string;
  /** When it was signed, in seconds; now unless told. */
  readonly at?: number;
  /** Sent in place of what was signed. */
  readonly body?: string;
  /** Said of it that it is of the other mode. */
  readonly livemode?: boolean;
  /** Written as another version of the API would. */
  readonly apiVersion?: string;
}

/** Stripe waits no longer for an answer, in milliseconds. */
const PATIENCE_MS = 20_000;

/** What came back. */
export interface Receipt {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** Signs a body as Stripe does. */
export function sign(
  payload: string,
  secret: string,
  timestamp?: number,
): Promise<string> {
  return webhooks.generateTestHeaderStringAsync({ payload, secret, timestamp });
}

/** Sends an event once; what is answered with 2xx is delivered. */
export async function send(
  happening: Happening,
  { url, secret, at, body, livemode, apiVersion }: Sending,
): Promise<Receipt> {
  const payload = JSON.stringify({
    ...happening.event,
    ...livemode !== undefined && { livemode },
    ...apiVersion !== undefined && { api_version: apiVersion },
  });
  const response = await fetch(url, {
    method: "POST",
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: {
      "content-type": "application/json; charset=utf-8",
      "stripe-signature": await sign(payload, secret, at),
    },
    body: body ?? payload,
  });
  if (response.ok) happening.delivered = true;
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}
