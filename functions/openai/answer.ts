import { z } from "zod";
import { Problem, problemOf, type ProblemOptions } from "../_shared/problem.ts";
import { rateLimitHeaders, retryAfterHeader } from "../_shared/rate_limit.ts";
import { jobError, type JobResult } from "../_shared/results.ts";
import type { TextChargeResult } from "../_shared/text_database.ts";
import type { UpstreamFailure } from "./failure.ts";

/** Headers of every answer for which something was charged. */
export function chargedHeaders(
  charge: TextChargeResult,
): Record<string, string> {
  return {
    ...rateLimitHeaders(charge),
    "x-credits-job-id": charge.job_id!,
    "x-credits-reserved": String(charge.cost),
  };
}

/** Headers of an answer whose job has ended. */
export function endedHeaders(
  ended: JobResult | undefined,
): Record<string, string> {
  return ended
    ? {
      "x-credits-cost": String(ended.cost - ended.refunded),
      "x-credits-balance": String(ended.balance),
    }
    : {};
}

/** Why nothing was charged. */
export function deniedProblem(charge: TextChargeResult): Problem {
  const { code, status, balance, required, debt, job_id } = charge;
  const { affordable_output_tokens } = charge;
  return problemOf(charge, {
    members: {
      ...(status === 402 && { balance, required, affordable_output_tokens }),
      ...(debt && { debt }),
      ...(job_id && { job_id }),
      ...(code === "answer_not_kept" && costOf(charge.job)),
    },
    headers: { ...rateLimitHeaders(charge), ...retryAfterHeader(charge) },
  });
}

const endedCost = z.object({ cost: z.number(), refunded: z.number() });

/** What an ended job cost after all. */
function costOf(job: unknown): { cost?: number } {
  const { data } = endedCost.safeParse(job);
  return data ? { cost: data.cost - data.refunded } : {};
}

/** What a repeated request gets whose job has ended without an answer. */
export function replayedProblem(
  charge: TextChargeResult,
  error: unknown,
): Problem {
  const { message } = jobError.parse(error);
  return new Problem(
    "provider_failed",
    `${
      message ?? "The first request with this key has ended without an answer."
    } ` +
      "Nothing was charged. To try again, send the request with a new Idempotency-Key, or without one.",
    {
      members: { job_id: charge.job_id },
      headers: { "idempotency-replayed": "true", "x-should-retry": "false" },
    },
  );
}

/**
 * What a client is told of a failure of its provider, and what it means for credits.
 *
 * @param ended how the job ended; undefined where that could not be recorded
 */
export function failedProblem(
  failure: UpstreamFailure,
  ended: JobResult | undefined,
  headers: Record<string, string> = {},
): Problem {
  const { retryAfter, providerCode } = failure;
  const charged = ended && ended.cost - ended.refunded;
  const options: ProblemOptions = {
    members: {
      reason: failure.reason,
      ...(providerCode && { provider_code: providerCode }),
      ...(ended && { job_id: ended.job_id, cost: charged }),
    },
    headers: {
      ...headers,
      ...endedHeaders(ended),
      ...(retryAfter && { "retry-after": String(retryAfter) }),
      ...(!failure.isRepeatable && { "x-should-retry": "false" }),
    },
  };
  return new Problem(
    failure.code,
    `${failure.message} ${creditsOf(charged)}`,
    options,
  );
}

function creditsOf(charged: number | undefined): string {
  if (charged === undefined) return "The credits are settled within minutes.";
  return charged === 0
    ? "Nothing was charged."
    : `What came cost ${charged} credits.`;
}
