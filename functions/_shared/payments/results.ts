import { z } from "zod";
import { credits } from "../results.ts";

// Composites come over the Data API as JSON objects in which every member stands, null where it does not apply.

/** Says whether a request may go on (200), or why not. */
const verdict = z.object({
  status: z.number().int(),
  code: z.string().nullable(),
  message: z.string().nullable(),
});

/** Answer of `prepare_checkout` and `prepare_portal`. */
export const checkoutVerdict = verdict.extend({
  account_id: z.guid().nullable(),
  kind: z.enum(["pack", "plan"]).nullable(),
  provider_price_id: z.string().nullable(),
  unit_amount: z.number().nullable(),
  currency: z.string().nullable(),
  customer_id: z.string().nullable(),
});
/** Answer of `prepare_checkout` and `prepare_portal`. */
export type CheckoutVerdict = z.infer<typeof checkoutVerdict>;

/** What became of what a provider says. */
export const paymentOutcome = z.enum([
  "booked",
  "nothing_to_do",
  "waiting",
  "refused",
]);

/** Answer of `book_payment` and `book_subscription`; amounts are whole credits. */
export const paymentResult = z.object({
  outcome: paymentOutcome,
  cause: z.string().nullable(),
  account_id: z.guid().nullable(),
  credits: z.number().nullable(),
  reversed_credits: z.number().nullable(),
  balance: z.number().nullable(),
});
/** Answer of `book_payment` and `book_subscription`. */
export type PaymentResult = z.infer<typeof paymentResult>;

/** Answer of `payment_status`. */
export const checkoutStatus = verdict.extend({
  state: z.enum(["open", "unpaid", "paid", "waiting", "expired", "void"])
    .nullable(),
  credits: credits.nullable(),
  reversed_credits: credits.nullable(),
  balance: credits.nullable(),
});
/** Answer of `payment_status`. */
export type CheckoutStatus = z.infer<typeof checkoutStatus>;
