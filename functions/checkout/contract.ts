import { z } from "zod";
import { storableText } from "../_shared/body.ts";
import type { Contract } from "../_shared/contract.ts";
import { instant } from "../_shared/moment.ts";
import { checkoutStatus } from "../_shared/payments/results.ts";

const MAX_NAME = 63;
const MAX_ADDRESS = 2_048;

/** Body of `POST checkout`. */
export const checkoutRequest = z.strictObject({
  product: storableText().min(1).max(MAX_NAME).describe(
    "its name in `GET products`",
  ),
  // How many may be bought at once is the database's to say.
  quantity: z.int("must be a whole number").min(1, "must be at least 1")
    .max(2 ** 31 - 1, "is too large").default(1).describe(
      "up to the product's `max_quantity`",
    ),
  account_id: z.guid("must be the id of an account").toLowerCase().optional()
    .describe("a team's account; the user's own if left out"),
  return_to: z.string("must be text").max(MAX_ADDRESS).optional().describe(
    "where the buyer comes back to; `PAYMENTS_RETURN_URLS` must allow it",
  ),
});

/** Which checkout a request names. */
export const idQuery = z.strictObject({
  id: z.string().regex(/^\w{1,255}$/, "must be the id of a checkout").describe(
    "`checkout_id` of `POST checkout`",
  ),
});

const openedCheckout = z.object({
  checkout_id: z.string(),
  url: z.string().describe("the page to send the buyer to"),
  expires_at: instant,
}).meta({ id: "Checkout" });
/** A checkout that a buyer can be sent to. */
export type OpenedCheckout = z.infer<typeof openedCheckout>;

const { state, credits, reversed_credits, balance } = checkoutStatus.shape;
const shownCheckout = z.object({
  checkout_id: z.string(),
  status: state.unwrap().describe(
    "`unpaid`: the money is on its way; `waiting`: it is paid, and an operator must look at it",
  ),
  credits: credits.describe("granted for it"),
  reversed_credits,
  balance,
}).meta({ id: "CheckoutStatus" });
/** What became of a checkout. */
export type ShownCheckout = z.infer<typeof shownCheckout>;

/** `POST checkout`. */
export const beginContract: Contract = {
  summary: "Begins to buy: the page to send the buyer to",
  description:
    "The same Idempotency-Key gives the same checkout for a day. A team's owner or admin buys for it.",
  caller: "user",
  headers: ["idempotency-key"],
  body: checkoutRequest,
  answers: { 201: { means: "It is open.", body: openedCheckout } },
  problems: [
    "account_closed",
    "not_a_member",
    "not_allowed_to_pay",
    "unknown_product",
    "already_subscribed",
    "request_in_flight",
    "idempotency_key_reused",
    "payments_not_set_up",
    "payment_provider_failed",
  ],
};

/** `GET checkout/:id`. */
export const showContract: Contract = {
  summary: "What became of it, booked by then",
  caller: "user",
  params: idQuery,
  answers: { 200: { means: "How it stands.", body: shownCheckout } },
  problems: [
    "unknown_payment",
    "payments_not_set_up",
    "payment_provider_failed",
  ],
};
