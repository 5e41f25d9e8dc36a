import type { CreditsError } from "@atomic-credits/client";
import { Products } from "./products.tsx";
import { creditsOf } from "./words.ts";

/** What went wrong, by its code, and what to do about it. */
export function Failure({ error }: { error: CreditsError | null }) {
  if (!error) return null;
  return (
    <div className="failure" role="alert">
      <p>{sentenceOf(error)}</p>
      {error.code === "insufficient_credits" && <Products isOffer />}
    </div>
  );
}

function sentenceOf(
  { code, message, details, retryAfterSeconds }: CreditsError,
) {
  switch (code) {
    case "insufficient_credits":
      return `It costs ${creditsOf(Number(details.required))}, you have ` +
        `${creditsOf(Number(details.balance))}. Buy more to go on:`;
    case "provider_failed":
    case "provider_timeout":
    case "storage_failed":
      return "It failed. You have your credits back.";
    case "rate_limited":
    case "too_many_jobs":
      return `That was fast. Try again in ${retryAfterSeconds ?? 60} seconds.`;
    case "price_changed":
      return "The price has changed meanwhile. Nothing was charged: look at the button, and try again.";
    case "unauthorized":
      return "Your session has ended: sign in again.";
    default:
      return message;
  }
}
