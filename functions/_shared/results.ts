import { z } from "zod";
import { Constants } from "../../supabase/database.types.ts";

// Composites come over the Data API as JSON objects in which every member stands,
// null where it does not apply.
/** Whole credits. */
export const credits = z.number().meta({ type: "integer" });
const seconds = z.number().int();

/** How a job stands in the database. */
export const jobStatus = z.enum(Constants.public.Enums.generation_job_status)
  .meta({ id: "JobStatus" });

/** The outputs of a job. Settled through SQL it may hold any JSON: that is then its one output, or the list of them. */
const jobOutput = z.unknown().transform((kept) => ({ outputs: listOf(kept) }));

function listOf(kept: unknown): unknown[] {
  const { outputs = kept } = (kept ?? {}) as { outputs?: unknown };
  return [outputs].flat();
}

const textIfAny = z.string().optional().catch(undefined);

/** Why a job failed, as it is kept with the job. What has another form than SQL gives it today says what can be read of it. */
export const jobError = z.object({
  code: z.string().catch("provider_failed"),
  message: textIfAny,
  reason: textIfAny,
}).catch({ code: "provider_failed" }).meta({ id: "JobError" });
/** Why a job failed. */
export type JobError = z.infer<typeof jobError>;

const asked = {
  prompt: z.string(),
  response_format: z.enum(["url", "base64"]),
};
const seed = z.number().int().optional();

/** What a charged job is to make, with the model's defaults for what was left out. */
const jobInput = z.discriminatedUnion("type", [
  z.object({
    ...asked,
    type: z.literal("image"),
    width: z.number().int(),
    height: z.number().int(),
    n: z.number().int(),
    seed,
  }),
  z.object({
    ...asked,
    type: z.literal("video"),
    seconds: z.number().int(),
    width: z.number().int().optional(),
    height: z.number().int().optional(),
    aspect_ratio: z.string().optional(),
    image: z.string().optional(),
    seed,
  }),
  z.object({
    ...asked,
    type: z.literal("speech"),
    voice: z.string().optional(),
    format: z.string(),
  }),
]);

/** A job that was just charged: what to ask of which provider, and for how long. */
export const chargedJob = z.object({
  id: z.guid(),
  model: z.string(),
  provider: z.string(),
  provider_model: z.string(),
  timeout_seconds: seconds,
  max_output_bytes: z.number().int(),
  created_at: z.string(),
  input: jobInput,
});
/** A job that was just charged. */
export type ChargedJob = z.infer<typeof chargedJob>;

/** A job that had ended before this request repeated it. */
export const endedJob = z.object({
  id: z.guid(),
  model: z.string(),
  status: jobStatus,
  cost: credits,
  refunded: credits,
  output: jobOutput.nullable(),
  /** When its files were deleted, which outputs then still names. */
  output_deleted_at: z.string().nullish(),
  error: jobError.nullable(),
  created_at: z.string(),
});
/** A job that had ended before this request repeated it. */
export type EndedJob = z.infer<typeof endedJob>;

/** Answer of `atomic_charge_credits`; `job` is read by status. */
export const chargeResult = z.object({
  status: z.number().int(),
  code: z.string(),
  message: z.string().nullable(),
  job_id: z.guid().nullable(),
  cost: credits.nullable(),
  balance: credits.nullable(),
  required: credits.nullable(),
  debt: credits.nullable(),
  retry_after_seconds: seconds.nullable(),
  rate_limit: z.number().int().nullable(),
  rate_window_seconds: seconds.nullable(),
  rate_remaining: z.number().int().nullable(),
  rate_reset_seconds: seconds.nullable(),
  errors: z.array(z.object({ field: z.string(), message: z.string() }))
    .nullable(),
  job: z.unknown(),
});
/** Answer of `atomic_charge_credits`. */
export type ChargeResult = z.infer<typeof chargeResult>;

/** Answer of the functions that end a job. */
export const jobResult = z.object({
  job_id: z.guid(),
  code: z.string(),
  status: jobStatus,
  cost: credits,
  refunded: credits,
  balance: credits,
});
/** Answer of the functions that end a job. */
export type JobResult = z.infer<typeof jobResult>;

/** Which provider has a job, and under which id where it is known; not for answers. */
export const providerJob = z.object({
  provider: z.string(),
  provider_job_id: z.string().nullable(),
});
/** Which provider has a job, and under which id where it is known; not for answers. */
export type ProviderJob = z.infer<typeof providerJob>;

/** Where a provider said that it is asked of a job; what is no list of addresses counts as none. */
export const providerUrls = z.record(z.string(), z.string()).nullable().catch(
  null,
);

/** A job that its provider is to be asked about. */
export const providerAsk = z.object({
  job_id: z.guid(),
  provider: z.string(),
  provider_job_id: z.string(),
  urls: providerUrls,
  cancel_requested: z.boolean(),
});
/** A job that its provider is to be asked about. */
export type ProviderAsk = z.infer<typeof providerAsk>;

/** Answer of `receive_callback`: `input` and `max_output_bytes` are there while an output is wanted. */
export const callbackResult = z.object({
  job_id: z.guid(),
  account_id: z.guid(),
  code: z.string(),
  status: jobStatus,
  max_output_bytes: z.number().int().nullable(),
  // What was charged through SQL need not name them.
  input: z.object({
    type: z.enum(["image", "video", "speech"]).default("image"),
    n: z.number().int().default(1),
    seconds: z.number().optional().catch(undefined),
  }).nullable(),
});
/** Answer of `receive_callback`. */
export type CallbackResult = z.infer<typeof callbackResult>;

/** Answer of `quote_generation`. */
export const generationQuote = z.object({
  status: z.number().int(),
  code: z.string(),
  message: z.string().nullable(),
  model: z.string().nullable(),
  cost: credits.nullable(),
  errors: z.array(z.object({ field: z.string(), message: z.string() }))
    .nullable(),
});
/** Answer of `quote_generation`. */
export type GenerationQuote = z.infer<typeof generationQuote>;

/** Answer of `quote_text`. */
export const textQuote = generationQuote.omit({ cost: true }).extend({
  least: credits.nullable(),
  likely: credits.nullable(),
  most: credits.nullable(),
  /** The cap of one choice. */
  output_tokens: z.number().int().nullable(),
});
/** Answer of `quote_text`. */
export type TextQuote = z.infer<typeof textQuote>;
