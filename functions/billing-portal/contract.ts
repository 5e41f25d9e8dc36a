import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";

/** Body of `POST billing-portal`. */
export const portalRequest = z.strictObject({
  account_id: z.guid("must be the id of an account").toLowerCase().optional()
    .describe("a team's account; the user's own if left out"),
  return_to: z.string("must be text").max(2_048).optional().describe(
    "where the page leads back to; `PAYMENTS_RETURN_URLS` must allow it",
  ),
});

const portal = z.object({ url: z.string() });
/** The provider's page. */
export type Portal = z.infer<typeof portal>;

/** `POST billing-portal`. */
export const portalContract: Contract = {
  summary:
    "The provider's page for invoices, cards and the end of a subscription",
  caller: "user",
  body: portalRequest,
  answers: { 200: { means: "The page.", body: portal } },
  problems: [
    "not_a_member",
    "not_allowed_to_pay",
    "no_customer",
    "request_in_flight",
    "payments_not_set_up",
    "payment_provider_failed",
  ],
};
