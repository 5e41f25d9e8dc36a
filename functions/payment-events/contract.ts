import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";
import { paymentOutcome } from "../_shared/payments/results.ts";

const takenEvent = z.object({
  outcome: paymentOutcome,
  cause: z.string().optional(),
}).meta({ id: "TakenEvent" });
/** What became of an event. */
export type TakenEvent = z.infer<typeof takenEvent>;

/** `POST payment-events/:provider`. */
export const eventContract: Contract = {
  summary: "Takes the events of a provider of payments, such as Stripe",
  description:
    "The raw body, 1 MiB at most. Any error makes the provider repeat it.",
  caller: "payment_provider",
  params: z.object({ provider: z.string().describe("`stripe`") }),
  body: z.unknown(),
  answers: { 200: { means: "It is taken.", body: takenEvent } },
  problems: [
    "invalid_signature",
    "not_found",
    "payments_not_set_up",
    "payment_provider_failed",
  ],
};
