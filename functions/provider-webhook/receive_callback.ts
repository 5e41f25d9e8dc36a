import type { CallbackDatabase } from "../_shared/callback_database.ts";
import { cancelAtProvider } from "../_shared/cancel_at_provider.ts";
import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { DatabaseError, isUnavailable } from "../_shared/database.ts";
import { logEvent, logUnexpected } from "../_shared/log.ts";
import { toOutput } from "../_shared/output.ts";
import { Problem, serviceUnavailable } from "../_shared/problem.ts";
import type {
  Callback,
  CallbackProvider,
} from "../_shared/providers/callback_provider.ts";
import { downloadImages } from "../_shared/providers/download.ts";
import { ProviderError } from "../_shared/providers/provider.ts";
import type { CallbackResult, JobError, Output } from "../_shared/results.ts";

/** The functions of SQL that a callback moves a job with. */
export type CallbackJobs =
  & Pick<CallbackDatabase, "receive">
  & Pick<CreditsDatabase, "settle" | "fail">;

/** A callback that is signed, and the job that its address is for. */
export interface SignedCallback {
  jobId: string;
  /** The provider's name in the price book. */
  name: string;
  provider: CallbackProvider;
  callback: Callback;
}

/**
 * Does to a job what its provider says: it fails, or its pictures are fetched and it is settled.
 * The first end stays: a later or repeated callback changes nothing; a provider that only begins then is told.
 *
 * @returns what came of it: running, settled, failed, unchanged or late
 * @throws {Problem} 404 for a job that is not this provider's; 503 where the same callback may do better later
 */
export async function receiveCallback(
  signed: SignedCallback,
  database: CallbackJobs,
): Promise<string> {
  const { jobId, name: provider, callback } = signed;
  const { providerJobId, reason } = callback;
  // SQL knows whether it was canceled here: else it has failed.
  const outcome = callback.outcome === "canceled" ? "failed" : callback.outcome;
  const error = reason && toJobError(new ProviderError(reason));
  const result = await database.receive(
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
  const isToSettle = outcome === "succeeded" && result.code === "running";
  const code = isToSettle
    ? await settle(signed, result, database)
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

async function settle(
  signed: SignedCallback,
  { input }: CallbackResult,
  database: CallbackJobs,
): Promise<string> {
  const { jobId, provider, callback } = signed;
  try {
    const images = await downloadImages(provider, callback.urls, input!.n);
    const outputs = images.map((image) =>
      toOutput(image, input!.response_format)
    );
    return await keep(jobId, outputs, database);
  } catch (failure) {
    if (!(failure instanceof ProviderError)) throw failure;
    const { reason, providerStatus } = failure;
    if (reason === "connection" || reason === "timeout") {
      logEnd("pictures_out_of_reach", signed, reason, providerStatus);
      throw serviceUnavailable("The pictures cannot be fetched. Call again.");
    }
    logEnd(failure.code, signed, reason, providerStatus);
    return (await database.fail(jobId, toJobError(failure))).code;
  }
}

async function keep(
  jobId: string,
  outputs: Output[],
  database: CallbackJobs,
): Promise<string> {
  try {
    return (await database.settle(jobId, outputs)).code;
  } catch (error) {
    if (isUnavailable(error)) throw error;
    // The database refuses this output for good: give the credits back at once.
    logUnexpected(error, { job_id: jobId });
    throw new ProviderError("broken_response");
  }
}

function explainUnknown(error: unknown, signed: SignedCallback): never {
  if (error instanceof DatabaseError && error.sqlState === "PT404") {
    logEnd("callback_of_no_job", signed);
    throw new Problem("not_found", "This provider was not given this job.");
  }
  throw error;
}

function toJobError({ code, reason, message }: ProviderError): JobError {
  return { code, reason, message };
}

function logEnd(
  event: string,
  { jobId, name }: SignedCallback,
  reason?: string,
  providerStatus?: number,
): void {
  logEvent("warn", event, {
    job_id: jobId,
    provider: name,
    reason,
    provider_status: providerStatus,
  });
}
