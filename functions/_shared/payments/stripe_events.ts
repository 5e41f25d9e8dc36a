import type Stripe from "stripe";
import { z } from "zod";
import { parseFields } from "../body.ts";
import { logEvent } from "../log.ts";
import { Problem } from "../problem.ts";
import type { Environment } from "../settings.ts";
import { type PaymentEvent, timeOf } from "./neutral.ts";
import type { PaymentEvents } from "./provider.ts";
import { stripeAccess } from "./stripe_client.ts";
import { explainStripe, isMissing } from "./stripe_failure.ts";
import { changedObject, readObject } from "./stripe_objects.ts";

/** What is read of an event; the same in each version of the API. */
const anyEvent = z.looseObject({
  id: z.string(),
  type: z.string(),
  created: z.number(),
  livemode: z.boolean(),
  data: z.looseObject({ object: z.looseObject({}) }),
});

/** How old a signature may be, in seconds; Stripe signs each try anew. */
const TOLERANCE_SECONDS = 300;

/**
 * Stripe's events, where PAYMENTS_STRIPE_KEY and PAYMENTS_STRIPE_WEBHOOK_SECRETS are set: one secret, or while it is
 * rotated the new and the old one with a space between them.
 */
export function stripeEvents(
  environment: Environment,
): PaymentEvents | undefined {
  const access = stripeAccess(environment);
  const secrets = (environment("PAYMENTS_STRIPE_WEBHOOK_SECRETS") ?? "")
    .split(/\s+/).filter(Boolean);
  if (!access || secrets.length === 0) return undefined;
  const { stripe, livemode } = access;
  return {
    name: "stripe",
    livemode,
    verify: async (body, headers) => {
      const signature = headers.get("stripe-signature") ?? "";
      const event = await verified(stripe, body, signature, secrets);
      parseFields(anyEvent, event);
      const changed = changedObject(event);
      return {
        event: toEvent(event),
        livemode: event.livemode,
        read: async () =>
          changed
            ? await readObject(stripe, changed).catch(missingOrFailed)
            : [],
      };
    },
  };
}

async function verified(
  stripe: Stripe,
  body: Uint8Array,
  signature: string,
  secrets: readonly string[],
): Promise<Stripe.Event> {
  for (const secret of secrets) {
    try {
      return await stripe.webhooks.constructEventAsync(
        body,
        signature,
        secret,
        TOLERANCE_SECONDS,
      );
    } catch {
      // Another secret may have signed it.
    }
  }
  throw new Problem(
    "invalid_signature",
    `An event carries the header stripe-signature, made within the last ${TOLERANCE_SECONDS} seconds by the endpoint's secret.`,
  );
}

/** Brings an event into the form in which the database keeps it. */
export function toEvent(event: Stripe.Event): PaymentEvent {
  const { id } = event.data.object as { id?: string };
  return {
    provider: "stripe",
    livemode: event.livemode,
    id: event.id,
    type: event.type,
    object: id ?? null,
    created_at: timeOf(event.created),
  };
}

/** An object that is not there cannot be booked, however often Stripe repeats. */
function missingOrFailed(error: unknown): null {
  if (!isMissing(error)) return explainStripe(error);
  logEvent("error", "payment_object_missing", {
    provider: "stripe",
    remedy:
      "If this repeats, PAYMENTS_STRIPE_KEY is of another Stripe account than the endpoint: docs/payments.md.",
  });
  return null;
}
