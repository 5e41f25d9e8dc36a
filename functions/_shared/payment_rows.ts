import { z } from "zod";
import { instant } from "./moment.ts";
import { credits } from "./results.ts";

const money = z.number().meta({
  type: "integer",
  description: "in the currency's smallest unit",
});

export const productRow = z.object({
  name: z.string(),
  kind: z.enum(["pack", "plan"]),
  credits,
  plan: z.string().nullable(),
  expires_after_seconds: z.number().meta({ type: "integer" }).nullable(),
  unit_amount: money,
  currency: z.string(),
  max_quantity: z.number().int(),
}).meta({ id: "Product" });
/** Something that can be bought; `unit_amount` is in the currency's smallest unit. */
export type ProductRow = z.infer<typeof productRow>;

/** The columns of `paymentRow`. */
export const PAYMENT_COLUMNS =
  "key, kind, product, quantity, state, amount, currency, refunded, disputed, credits, reversed_credits, period_start, period_end, paid_at, created_at";

export const paymentRow = z.object({
  key: z.string(),
  kind: z.enum(["pack", "plan"]),
  product: z.string().nullable(),
  quantity: z.number().meta({ type: "integer" }).nullable(),
  state: z.string(),
  amount: money,
  currency: z.string(),
  refunded: money,
  disputed: money,
  credits,
  reversed_credits: credits.describe("credits that were taken back"),
  period_start: instant.nullable(),
  period_end: instant.nullable(),
  paid_at: instant.nullable(),
  created_at: instant,
}).meta({ id: "Payment" });
/** A payment as a user sees it; amounts of money are in the currency's smallest unit. */
export type PaymentRow = z.infer<typeof paymentRow>;
