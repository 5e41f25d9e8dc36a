import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";
import { productRow } from "../_shared/payment_rows.ts";

/** It takes none. */
export const noParameters = z.strictObject({});

const products = z.object({ data: z.array(productRow) });
/** What can be bought. */
export type Products = z.infer<typeof products>;

/** `GET products`. */
export const productsContract: Contract = {
  summary: "What can be bought now",
  caller: "user",
  query: noParameters,
  answers: { 200: { means: "The products.", body: products } },
  problems: ["payments_not_set_up"],
};
