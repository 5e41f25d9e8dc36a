import type { Json } from "../../supabase/database.types.ts";
import { isUnavailable } from "../_shared/database.ts";
import { logEvent, logUnexpected } from "../_shared/log.ts";
import type { JobError, JobResult } from "../_shared/results.ts";
import type {
  CountedUsage,
  TextDatabase,
  TextJob,
  TextOutput,
} from "../_shared/text_database.ts";
import type { Delivered } from "./delivered.ts";
import { ClientGone, type UpstreamFailure } from "./failure.ts";
import type { ReportedUsage } from "./usage.ts";

/** A job whose answer is being made. */
export interface OpenJob {
  job: TextJob;
  database: Pick<TextDatabase, "settle" | "fail" | "abandon" | "progress">;
  /** What the prompt likely has, in tokens. */
  inputEstimate: number;
  /** Whether what came is charged if the provider breaks off; else it is refunded whole. */
  chargeInterrupted: boolean;
  /** Whether the answer is kept with the job. */
  isKept: boolean;
  /** Whether the model thinks before it answers. */
  reasons: boolean;
}

/** What has come of an answer. */
export interface Came {
  delivered: Delivered;
  usage?: ReportedUsage;
  /** The whole answer, where it is kept. */
  toResponse?: (counted: CountedUsage) => Record<string, unknown>;
}

/**
 * Ends a job: settled by what came, or refunded. Called once for each job.
 *
 * @param failure why the answer is not whole
 * @returns undefined where the end could not be recorded: the sweeper then ends the job, by its progress
 */
export async function endJob(
  open: OpenJob,
  came: Came,
  failure?: UpstreamFailure | ClientGone,
): Promise<JobResult | undefined> {
  const { job, database } = open;
  if (failure && !(failure instanceof ClientGone)) logFailure(job, failure);
  try {
    if (isRefunded(open, came, failure)) {
      return failure instanceof ClientGone
        ? await database.abandon(job.id)
        : await database.fail(job.id, errorOf(failure));
    }
    const { finishReason: finish_reason } = came.delivered;
    const counted = countedUsage(open, came, failure !== undefined);
    const response = open.isKept && !failure
      ? came.toResponse?.(counted)
      : undefined;
    return await settle(open, counted, {
      ...(finish_reason !== undefined && { finish_reason }),
      ...(response && { response: response as Json }),
    });
  } catch (error) {
    logUnexpected(error, { job_id: job.id });
    return undefined;
  }
}

/** Settles, if need be without what the database cannot keep, such as a NUL in the answer: it is charged all the same. */
async function settle(
  { job, database }: OpenJob,
  counted: CountedUsage,
  output: TextOutput,
): Promise<JobResult> {
  try {
    return await database.settle(job.id, counted, output);
  } catch (error) {
    if (isUnavailable(error)) throw error;
    logUnexpected(error, { job_id: job.id });
    return await database.settle(job.id, counted, {});
  }
}

function isRefunded(
  { chargeInterrupted }: OpenJob,
  { delivered, usage }: Came,
  failure?: UpstreamFailure | ClientGone,
): boolean {
  const nothingCame = delivered.count.isEmpty;
  if (!failure) return nothingCame && !usage;
  return nothingCame || !(failure instanceof ClientGone || chargeInterrupted);
}

/** What is charged: the provider's word, or an estimate; of an answer that broke off, whichever is more. */
export function countedUsage(
  { inputEstimate }: Pick<OpenJob, "inputEstimate">,
  { delivered, usage }: Came,
  isBroken: boolean,
): CountedUsage {
  const output_tokens = delivered.count.tokens;
  // What a usage does not count is none only where nothing came, as of vectors.
  const said = usage?.output_tokens ??
    (delivered.count.isEmpty ? 0 : undefined);
  if (usage && said !== undefined && (!isBroken || said >= output_tokens)) {
    return { usage: { ...usage, output_tokens: said }, source: "reported" };
  }
  const estimate = { input_tokens: inputEstimate, output_tokens };
  return {
    usage: usage ? { ...usage, output_tokens } : estimate,
    source: "estimated",
  };
}

function errorOf(failure?: UpstreamFailure): JobError {
  const { code, reason, message } = failure ?? {
    code: "provider_failed",
    reason: "broken_response",
    message: "The provider sent neither text nor a usage.",
  };
  return { code, reason, message };
}

function logFailure(job: TextJob, failure: UpstreamFailure): void {
  logEvent("warn", failure.code, {
    job_id: job.id,
    provider: job.provider,
    reason: failure.reason,
    provider_status: failure.providerStatus,
    provider_code: failure.providerCode,
  });
}
