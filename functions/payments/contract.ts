import type { z } from "zod";
import type { Contract } from "../_shared/contract.ts";
import { accountQuery, pageOf, pageQuery } from "../_shared/page.ts";
import { paymentRow } from "../_shared/payment_rows.ts";

/** Query of `GET payments`. */
export const paymentsQuery = pageQuery.extend(accountQuery);

const paymentPage = pageOf(paymentRow);
/** A page of payments. */
export type PaymentPage = z.infer<typeof paymentPage>;

/** `GET payments`. */
export const paymentsContract: Contract = {
  summary: "A page of the account's payments, newest first",
  caller: "user",
  query: paymentsQuery,
  answers: { 200: { means: "The payments.", body: paymentPage } },
  problems: ["not_found"],
};
