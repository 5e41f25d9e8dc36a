import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";

const deliveries = z.object({
  delivered: z.number().int(),
  failed: z.number().int(),
}).meta({ id: "Deliveries" });
/** How many events were delivered. */
export type Deliveries = z.infer<typeof deliveries>;

/** `POST deliver-events`. */
export const deliverContract: Contract = {
  summary: "Delivers due events to the webhook, and alerts to the chat",
  caller: "schedule",
  answers: { 200: { means: "Nothing is due any more.", body: deliveries } },
};
