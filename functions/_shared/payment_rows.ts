import { z } from "zod";

export const productRow = z.object({
  name: z.string(),
  kind: z.enum(["pack", "plan"]),
  credits: z.number(),
  plan: z.string().nullable(),
  expires_after_seconds: z.number().nullable(),
  unit_amount: z.number(),
  currency: z.string(),
  max_quantity: z.number().int(),
});
/** Something that can be bought; `unit_amount` is in the currency's smallest unit. */
export type ProductRow = z.infer<typeof productRow>;

/** The columns of `paymentRow`. */
export const PAYMENT_COLUMNS =
  "key, kind, product, quantity, state, amount, currency, refunded, disputed, credits, reversed_credits, period_start, period_end, paid_at, created_at";

export const paymentRow = z.object({
  key: z.string(),
  kind: z.enum(["pack", "plan"]),
  product: z.string().nullable(),
  quantity: z.number().nullable(),
  state: z.string(),
  amount: z.number(),
  currency: z.string(),
  refunded: z.number(),
  disputed: z.number(),
  credits: z.number(),
  reversed_credits: z.number(),
  period_start: z.string().nullable(),
  period_end: z.string().nullable(),
  paid_at: z.string().nullable(),
  created_at: z.string(),
});
/** A payment as a user sees it; amounts of money are in the currency's smallest unit. */
export type PaymentRow = z.infer<typeof paymentRow>;
