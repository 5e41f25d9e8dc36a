import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";

const takenCallback = z.object({
  job_id: z.guid(),
  code: z.string().describe(
    "what came of it: `running`, `settled`, `failed`, `canceled`, `unchanged`, `late` or `late_kept`",
  ),
}).meta({ id: "TakenCallback" });
/** What became of a callback. */
export type TakenCallback = z.infer<typeof takenCallback>;

/** `POST provider-webhook/:provider`. */
export const webhookContract: Contract = {
  summary: "Takes the callbacks of a provider that answers later",
  description: "To the address that the provider was given for the job.",
  caller: "provider",
  params: z.object({
    provider: z.string().describe("its name in the price book"),
  }),
  query: z.object({
    token: z.string().describe("proves which job the address is for"),
  }),
  body: z.unknown(),
  answers: { 200: { means: "It is taken.", body: takenCallback } },
  problems: ["unauthorized", "not_found"],
};
