import Stripe from "stripe";
import { DENIALS } from "../denials.ts";
import { logEvent } from "../log.ts";
import { Problem } from "../problem.ts";

const { errors } = Stripe;

/** Whether Stripe says that there is no such object. */
export function isMissing(error: unknown): boolean {
  return error instanceof errors.StripeInvalidRequestError &&
    error.code === "resource_missing";
}

/**
 * For `catch` on a call of Stripe. The log has the kind of the failure and Stripe's own request id; Stripe's words
 * may tell of a buyer.
 *
 * @throws {Problem} what the caller can do about it; else the error itself
 */
export function explainStripe(error: unknown): never {
  if (!(error instanceof errors.StripeError)) throw error;
  logEvent("error", "payment_provider_failed", {
    provider: "stripe",
    error: error.type,
    code: error.code,
    status: error.statusCode,
    provider_request_id: error.requestId,
  });
  if (error instanceof errors.StripeIdempotencyError) {
    const reused = error.statusCode === 409
      ? "request_in_flight"
      : "idempotency_key_reused";
    throw new Problem(reused, DENIALS[reused].message);
  }
  if (error.statusCode === 409) {
    throw new Problem("request_in_flight", DENIALS.request_in_flight.message);
  }
  throw new Problem(
    "payment_provider_failed",
    "The payment provider does not answer as it should. Nothing was bought. Repeat the request in a moment.",
    { headers: { "retry-after": "5" } },
  );
}
