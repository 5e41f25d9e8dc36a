import type { CallbackDatabase } from "../_shared/callback_database.ts";
import { cancelAtProvider } from "../_shared/cancel_at_provider.ts";
import { DatabaseError } from "../_shared/database.ts";
import { toJobError } from "../_shared/job_failure.ts";
import { logEvent } from "../_shared/log.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import { Problem } from "../_shared/problem.ts";
import type {
  Callback,
  CallbackProvider,
} from "../_shared/providers/callback_provider.ts";
import { ProviderError } from "../_shared/providers/provider.ts";
import type { CallbackResult } from "../_shared/results.ts";
import {
  type EndDependencies,
  type MadeJob,
  settleMade,
} from "../_shared/settle_made.ts";

/** The functions of SQL that a callback moves a job with. */
export type CallbackJobs =
  & Pick<CallbackDatabase, "receive">
  & EndDependencies["database"];

/** What a callback moves a job with. */
export interface CallbackDependencies {
  database: CallbackJobs;
  store: Pick<OutputStore, "keep">;
}

/** A callback that is signed, and the job that its address is for. */
export interface SignedCallback {
  jobId: string;
  /** The provider's name in the price book. */
  name: string;
  provider: CallbackProvider;
  callback: Callback;
}

/**
 * Does to a job what its provider says: it fails, or its files are copied into Storage and it is settled.
 * The first end stays: a later or repeated callback changes nothing; a provider that only begins then is told.
 *
 * @returns what came of it: running, settled, failed, unchanged or late
 * @throws {Problem} 404 for a job that is not this provider's; 503 where the same callback may do better later
 */
export async function receiveCallback(
  signed: SignedCallback,
  dependencies: CallbackDependencies,
): Promise<string> {
  const { jobId, name: provider, callback } = signed;
  const { providerJobId, reason } = callback;
  // SQL knows whether it was canceled here: else it has failed.
  const outcome = callback.outcome === "canceled" ? "failed" : callback.outcome;
  const error = reason && toJobError(new ProviderError(reason));
  const result = await dependencies.database.receive(
    { jobId, provider, providerJobId, outcome, error },
  ).catch((cause) => explainUnknown(cause, signed));
  if (outcome === "failed" && result.code === "failed") {
    logEnd(error?.code ?? "provider_failed", signed, reason);
  }
  if (outcome === "running" && isRefunded(result)) {
    await cancelAtProvider(
      jobId,
      (signal) =>
        signed.provider.cancel({ id: providerJobId, urls: null }, signal),
    );
  }
  const code = outcome === "succeeded" && result.input
    ? await settleMade(madeJob(signed, result), dependencies)
    : result.code;
  const isLateFailure = outcome === "failed" && code === "unchanged" &&
    result.status !== "failed";
  if (code === "late" || isLateFailure) {
    logEnd("callback_late", signed, reason);
  }
  return code;
}

function isRefunded({ status }: CallbackResult): boolean {
  return status === "failed" || status === "canceled" || status === "expired";
}

function explainUnknown(error: unknown, signed: SignedCallback): never {
  if (error instanceof DatabaseError && error.sqlState === "PT404") {
    logEnd("callback_of_no_job", signed);
    throw new Problem("not_found", "This provider was not given this job.");
  }
  throw error;
}

function madeJob(
  { jobId, name, provider, callback }: SignedCallback,
  { account_id, max_output_bytes, input, code }: CallbackResult,
): MadeJob {
  const { type, n } = input!;
  return {
    accountId: account_id,
    jobId,
    name,
    provider,
    urls: callback.urls,
    n,
    type,
    maxBytes: max_output_bytes!,
    isLate: code === "late_keep",
  };
}

function logEnd(
  event: string,
  { jobId, name }: SignedCallback,
  reason?: string,
): void {
  logEvent("warn", event, {
    job_id: jobId,
    provider: name,
    reason,
  });
}
