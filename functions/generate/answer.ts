import { Problem, problemOf, type ProblemOptions } from "../_shared/problem.ts";
import { rateLimitHeaders, retryAfterHeader } from "../_shared/rate_limit.ts";
import { json } from "../_shared/route.ts";
import {
  type ChargedJob,
  type ChargeResult,
  type EndedJob,
  endedJob,
} from "../_shared/results.ts";
import type { FinishedJob } from "./run_job.ts";
import { isOver, type SubmittedJob } from "./submit_job.ts";

const LOOK_AGAIN_SECONDS = 2;

/** Answers a job that this request charged and ended. */
export function finishedAnswer(
  charge: ChargeResult,
  job: ChargedJob,
  { result, outputs, error }: FinishedJob,
): Response {
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
  return endedAnswer(ended, result.balance, rateLimitHeaders(charge));
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
  return json(
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
export function replayedAnswer(result: ChargeResult): Response {
  const job = endedJob.parse(result.job);
  return endedAnswer(job, result.balance, { "idempotency-replayed": "true" });
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
  return { "location": `/functions/v1/jobs/${jobId}` };
}

function endedAnswer(
  job: EndedJob,
  balance: number | null,
  headers: Record<string, string>,
): Response {
  if (job.status !== "succeeded") throw endedProblem(job, balance, headers);
  const { id, status, model, cost, created_at } = job;
  const outputs = job.output?.outputs;
  return json(
    { job_id: id, status, model, cost, balance, outputs, created_at },
    headers,
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
  if (error?.code === "internal_error") {
    return new Problem("internal_error", detail, options());
  }
  const isTimeout = job.status === "expired" ||
    error?.code === "provider_timeout";
  return new Problem(
    isTimeout ? "provider_timeout" : "provider_failed",
    detail,
    options(error?.reason ?? (isTimeout ? "timeout" : "provider_error")),
  );
}
