import {
  Problem,
  problemOf,
  type ProblemOptions,
  serviceUnavailable,
} from "../_shared/problem.ts";
import { FUNCTION_PREFIX } from "../_shared/function_prefix.ts";
import { rateLimitHeaders, retryAfterHeader } from "../_shared/rate_limit.ts";
import { jsonWithFiles } from "../_shared/json_with_files.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import { isUnavailable } from "../_shared/database.ts";
import { json } from "../_shared/route.ts";
import { type ResponseFormat, showOutputs } from "../_shared/shown_outputs.ts";
import { StoreError } from "../_shared/store_error.ts";
import {
  type ChargedJob,
  type ChargeResult,
  type EndedJob,
  endedJob,
} from "../_shared/results.ts";
import type { AcceptedJob, SucceededJob } from "./contract.ts";
import type { FinishedJob } from "./run_job.ts";
import { isOver, type SubmittedJob } from "./submit_job.ts";

const LOOK_AGAIN_SECONDS = 2;

/** How a succeeded job is answered. */
export interface AnswerForm {
  format: ResponseFormat;
  store: Pick<OutputStore, "sign" | "read">;
  /** Puts it into the form that the client knows; as it is unless told. */
  toResponse?: (
    job: SucceededJob,
    headers: Record<string, string>,
  ) => Response | Promise<Response>;
}

/** Answers a job that this request charged and ended. */
export async function finishedAnswer(
  charge: ChargeResult,
  job: ChargedJob,
  { result, outputs, error }: FinishedJob,
  form: AnswerForm,
): Promise<Response> {
  const ended: EndedJob = {
    id: job.id,
    model: job.model,
    created_at: job.created_at,
    status: result.status,
    cost: result.cost,
    refunded: result.refunded,
    output: outputs ? { outputs } : null,
    error: error ?? null,
  };
  const headers = rateLimitHeaders(charge);
  return await endedAnswer(ended, result.balance, headers, form);
}

/**
 * Answers a job that its provider has now: it is to be looked at later, where `location` says.
 *
 * @throws {Problem} where it has ended without a result before that was noted
 */
export function submittedAnswer(
  charge: ChargeResult,
  { id, model, created_at }: ChargedJob,
  submitted: SubmittedJob,
): Response {
  const { status, balance, refunded = 0 } = submitted;
  if (isOver(submitted)) {
    const ended = { id, status, refunded, error: null };
    throw endedProblem(ended, balance ?? null, rateLimitHeaders(charge));
  }
  return json<AcceptedJob>(
    {
      job_id: id,
      status,
      model,
      cost: charge.cost,
      balance: balance ?? charge.balance,
      created_at,
    },
    {
      ...rateLimitHeaders(charge),
      ...whereToLook(id),
      "retry-after": String(LOOK_AGAIN_SECONDS),
    },
    202,
  );
}

/** Answers a repeated request as its first one was answered. */
export async function replayedAnswer(
  result: ChargeResult,
  form: AnswerForm,
): Promise<Response> {
  const job = endedJob.parse(result.job);
  const headers = { "idempotency-replayed": "true" };
  return await endedAnswer(job, result.balance, headers, form);
}

/** Why nothing was charged. */
export function deniedProblem(result: ChargeResult): Problem {
  const { code, balance, required, debt, job_id } = result;
  return problemOf(result, {
    members: {
      ...(required !== null && { balance, required }),
      ...(debt && { debt }),
      ...(job_id && { job_id }),
    },
    headers: {
      ...(code === "request_in_flight" && job_id && whereToLook(job_id)),
      ...rateLimitHeaders(result),
      ...retryAfterHeader(result),
    },
  });
}

function whereToLook(jobId: string): Record<string, string> {
  return { "location": `/functions/v1/${FUNCTION_PREFIX}jobs/${jobId}` };
}

async function endedAnswer(
  job: EndedJob,
  balance: number | null,
  headers: Record<string, string>,
  { format, store, toResponse = jsonWithFiles }: AnswerForm,
): Promise<Response> {
  const { id, status, model, cost, created_at, output_deleted_at } = job;
  if (status !== "succeeded") throw endedProblem(job, balance, headers);
  const show = async () => {
    const kept = job.output?.outputs ?? [];
    const outputs = output_deleted_at
      ? kept
      : await showOutputs(id, kept, format, store);
    return await toResponse(
      {
        job_id: id,
        status,
        model,
        cost,
        balance,
        outputs,
        created_at,
        ...(output_deleted_at && { output_deleted_at }),
      },
      headers,
    );
  };
  return await show().catch((error) => explainHidden(error, id));
}

function explainHidden(error: unknown, jobId: string): never {
  if (!(error instanceof StoreError || isUnavailable(error))) throw error;
  throw serviceUnavailable(
    "The job has succeeded and its outputs are kept, but cannot be shown now. " +
      "Repeat the request with the same Idempotency-Key, or look at the job.",
    { job_id: jobId },
  );
}

/** Why a job has no output, and that its credits are back. */
export function endedProblem(
  job: Pick<EndedJob, "id" | "status" | "refunded" | "error">,
  balance: number | null,
  headers: Record<string, string>,
): Problem {
  const { id: job_id, refunded, error } = job;
  // The key stays this job's: repeated with it, the request gets this answer again.
  const isRefundedTo =
    `Nothing was charged: ${refunded} credits were refunded. ` +
    "To try again, send the request with a new Idempotency-Key, or without one.";
  const options = (reason?: string): ProblemOptions => ({
    members: { job_id, reason, refunded, balance },
    headers,
  });
  if (job.status === "canceled") {
    const detail = `The job was canceled. ${isRefundedTo}`;
    return new Problem("job_canceled", detail, options());
  }
  const detail = `${
    error?.message ?? "The generation failed."
  } ${isRefundedTo}`;
  if (error?.code === "internal_error" || error?.code === "storage_failed") {
    return new Problem(error.code, detail, options());
  }
  const isTimeout = job.status === "expired" ||
    error?.code === "provider_timeout";
  return new Problem(
    isTimeout ? "provider_timeout" : "provider_failed",
    detail,
    options(error?.reason ?? (isTimeout ? "timeout" : "provider_error")),
  );
}
