import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";
import { generationRequest } from "../_shared/generation_request.ts";
import { instant } from "../_shared/moment.ts";
import { credits, jobStatus } from "../_shared/results.ts";
import { shownOutput } from "../_shared/shown_outputs.ts";

/** What is answered of a job that succeeded. */
export const succeededJob = z.object({
  job_id: z.guid(),
  status: z.literal("succeeded"),
  model: z.string(),
  cost: credits,
  balance: credits.nullable(),
  // What SQL alone settled may be anything.
  outputs: z.array(z.union([shownOutput, z.unknown()])),
  created_at: instant,
  output_deleted_at: instant.optional().describe(
    "where its files were deleted since: the outputs say what they were",
  ),
}).meta({ id: "SucceededJob" });
/** What is answered of a job that succeeded. */
export type SucceededJob = z.infer<typeof succeededJob>;

/** What is answered of a job that its provider has now. */
export const acceptedJob = z.object({
  job_id: z.guid(),
  status: jobStatus,
  model: z.string(),
  cost: credits.nullable(),
  balance: credits.nullable(),
  created_at: instant,
}).meta({ id: "AcceptedJob" });
/** What is answered of a job that its provider has now. */
export type AcceptedJob = z.infer<typeof acceptedJob>;

/** `POST generate`. */
export const generateContract: Contract = {
  summary: "Charges, generates, answers with the output",
  description:
    "What fails is refunded. A repeated request with the same Idempotency-Key is never charged again.",
  caller: "user_or_server",
  headers: ["idempotency-key"],
  body: generationRequest,
  answers: {
    200: {
      means: "It is made.",
      body: succeededJob,
      headers: ["ratelimit", "ratelimit-policy", "idempotency-replayed"],
    },
    202: {
      means:
        "It is charged, and its provider calls back: look at the job later.",
      body: acceptedJob,
      headers: ["ratelimit", "ratelimit-policy", "location", "retry-after"],
    },
  },
  problems: [
    "invalid_model",
    "insufficient_credits",
    "member_cap_reached",
    "account_closed",
    "model_not_in_plan",
    "not_a_member",
    "not_allowed_to_spend",
    "price_changed",
    "request_in_flight",
    "job_canceled",
    "idempotency_key_reused",
    "rate_limited",
    "too_many_jobs",
    "storage_failed",
    "provider_failed",
    "provider_timeout",
  ],
};
