import { z } from "zod";
import type { Json } from "../../supabase/database.types.ts";
import type { ChargeRequest } from "./credits_database.ts";
import {
  type Query,
  repeatWhileUnavailable,
  run,
  serviceClient,
} from "./database.ts";
import {
  type ChargeResult,
  chargeResult,
  type JobError,
  type JobResult,
  jobResult,
} from "./results.ts";

const CHARGE_ATTEMPTS = 3;
// The text is delivered and paid for: worth about ten seconds of patience.
const END_ATTEMPTS = 6;

/** Who asks for text: a user, or the holder of an app key. */
export type TextCaller =
  | { accountId: string; memberId: string }
  | { keyHash: string };

const wholeNumber = z.number().int();

/** A function that returns one row: the Data API sends a list for `returns table`. */
function rowOf<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return z.preprocess((data) => [data].flat()[0], schema);
}

/** What a model takes, and what becomes of its answers. */
const textTerms = z.object({
  status: wholeNumber,
  code: z.string(),
  message: z.string().nullable(),
  account_id: z.guid().nullable(),
  member_id: z.guid().nullable(),
  app_key_id: z.guid().nullable(),
  provider: z.string().nullable(),
  /** Null: the model takes no pictures. */
  image_tokens: wholeNumber.nullable(),
  /** Whether it thinks before it answers. */
  reasons: z.boolean().nullable(),
  /** What it has a price for. */
  meters: z.array(z.string()).nullable(),
  store: z.enum(["none", "hash", "full"]).nullable(),
  charge_interrupted: z.boolean().nullable(),
});
/** What a model takes, and what becomes of its answers. */
export type TextTerms = z.infer<typeof textTerms>;

/** What a request may use at most; never its words, unless answers are kept. */
// A type, not an interface: only a type can be passed on as JSON.
export type TextBounds = {
  /** Its bytes: no token has less than one. */
  input_tokens: number;
  /** What it likely has. */
  input_estimate: number;
  /** The maximum that the request names, per choice. */
  output_tokens?: number;
  n?: number;
  sha256?: string;
  /** The request itself, where it is kept. */
  body?: Json;
  embedding?: true;
};

/** A request to hold what an answer may cost. */
export interface TextCharge {
  accountId: string;
  memberId: string | null;
  appKeyId: string | null;
  model: string;
  bounds: TextBounds;
  idempotencyKey: string | null;
  requestId: string;
}

const textJob = z.object({
  id: z.guid(),
  model: z.string(),
  provider: z.string(),
  provider_model: z.string(),
  timeout_seconds: wholeNumber,
});
/** A text job that was just charged. */
export type TextJob = z.infer<typeof textJob>;

const textCharge = chargeResult.extend({
  /** The cap of one choice that was reserved. */
  output_tokens: wholeNumber.nullable(),
  affordable_output_tokens: wholeNumber.nullable(),
});
/** Answer of `charge_text`. */
export type TextChargeResult = z.infer<typeof textCharge>;

/** The job of a charge. */
export function jobOf({ job }: TextChargeResult): TextJob {
  return textJob.parse(job);
}

/** What an answer used, in tokens; those of a cache are part of the input. */
export type TextUsage = {
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens?: number;
  cache_write_tokens?: number;
};

/** A usage, and who counted: the provider, or we by the text. */
export interface CountedUsage {
  usage: TextUsage;
  source: "reported" | "estimated";
}

const modelRow = z.object({
  name: z.string(),
  effective_from: z.string(),
  rates: z.record(
    z.string(),
    z.object({ price: z.number(), per: z.number() }),
  ),
  max_input_tokens: wholeNumber,
  max_output_tokens: wholeNumber,
  default_output_tokens: wholeNumber.nullable(),
  makes: z.string(),
});
/** A model that an account may use. */
export type ModelRow = z.infer<typeof modelRow>;

/** The functions of SQL that charge for text. Each throws DatabaseError where the database cannot be reached. */
export interface TextDatabase {
  /** What holds for this caller and model; without a model only the caller is checked. */
  terms(caller: TextCaller, model: string | null): Promise<TextTerms>;
  models(accountId: string, appKeyId: string | null): Promise<ModelRow[]>;
  charge(request: TextCharge): Promise<TextChargeResult>;
  /** Charges for pictures or speech by an app key. */
  chargeImage(appKeyId: string, request: ChargeRequest): Promise<ChargeResult>;
  /** Whether the job is still open. */
  progress(jobId: string, usage: TextUsage): Promise<boolean>;
  settle(
    jobId: string,
    counted: CountedUsage,
    output: TextOutput,
  ): Promise<JobResult>;
  fail(jobId: string, error: JobError): Promise<JobResult>;
  /** Refunds a job whose client hung up before anything came. */
  abandon(jobId: string): Promise<JobResult>;
}

/** What is kept of an answer: facts; its words only by credit_settings.text_store. */
export type TextOutput = {
  finish_reason?: string;
  response?: Json;
};

/** The text functions of this project's database, called as the service. */
export const textDatabase: TextDatabase = {
  terms: (caller, model) => {
    const byKey = "keyHash" in caller;
    return repeatWhileUnavailable(
      () =>
        run(
          serviceClient().rpc("text_terms", {
            p_key_hash: byKey ? caller.keyHash : null,
            p_account_id: byKey ? null : caller.accountId,
            p_member_id: byKey ? null : caller.memberId,
            p_model: model,
          } as never),
          rowOf(textTerms),
        ),
      CHARGE_ATTEMPTS,
    );
  },
  models: (accountId, appKeyId) =>
    run(
      serviceClient().rpc("account_models", {
        p_account_id: accountId,
        p_app_key_id: appKeyId,
      } as never),
      z.array(modelRow),
    ),
  charge: (request) =>
    repeatWhileUnavailable(
      () => run(charge(request), rowOf(textCharge)),
      CHARGE_ATTEMPTS,
    ),
  chargeImage: (appKeyId, request) =>
    repeatWhileUnavailable(() =>
      run(
        serviceClient().rpc("charge_by_app_key", {
          p_account_id: request.accountId,
          p_app_key_id: appKeyId,
          p_model: request.model,
          p_input: request.input,
          p_idempotency_key: request.idempotencyKey,
          p_request_id: request.requestId,
          p_start: true,
        }),
        chargeResult,
      ), CHARGE_ATTEMPTS),
  progress: (jobId, usage) =>
    run(
      serviceClient().rpc("note_generation_progress", {
        p_job_id: jobId,
        p_usage: usage,
      }),
      z.boolean(),
    ),
  settle: (jobId, { usage, source }, output) =>
    endJob(() =>
      serviceClient().rpc("settle_text", {
        p_job_id: jobId,
        p_usage: usage,
        p_usage_source: source,
        p_output: output,
      })
    ),
  fail: (jobId, error) =>
    endJob(() =>
      serviceClient().rpc("fail_generation", {
        p_job_id: jobId,
        p_error: error,
      })
    ),
  abandon: (jobId) =>
    endJob(() => serviceClient().rpc("abandon_text", { p_job_id: jobId })),
};

function charge(request: TextCharge): Query {
  return serviceClient().rpc("charge_text", {
    p_account_id: request.accountId,
    p_member_id: request.memberId,
    p_app_key_id: request.appKeyId,
    p_model: request.model,
    p_request: request.bounds,
    p_idempotency_key: request.idempotencyKey,
    p_request_id: request.requestId,
  } as never);
}

function endJob(query: () => Query): Promise<JobResult> {
  return repeatWhileUnavailable(() => run(query(), jobResult), END_ATTEMPTS);
}
