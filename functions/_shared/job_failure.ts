import { logEvent } from "./log.ts";
import { ProviderError } from "./providers/provider.ts";
import type { JobError } from "./results.ts";
import { StoreError } from "./store_error.ts";

/** Why a job has no output: its provider failed, or Storage. */
export type JobFailure = ProviderError | StoreError;

/** Whether an error says that a job has no output; others are faults of our own. */
export function isJobFailure(error: unknown): error is JobFailure {
  return error instanceof ProviderError || error instanceof StoreError;
}

/** What is kept with a job that failed, and answered. */
export function toJobError(failure: JobFailure): JobError {
  if (failure instanceof StoreError) {
    return { code: "storage_failed", message: "The output could not be kept." };
  }
  const { code, reason, message } = failure;
  return { code, reason, message };
}

/** Logs why a job has no output. */
export function logFailure(
  failure: JobFailure,
  job: { id: string; provider: string },
): void {
  const source = { job_id: job.id, provider: job.provider };
  if (failure instanceof StoreError) {
    const detail = failure.message;
    return logEvent("error", "storage_failed", { ...source, detail });
  }
  const { code, reason, providerStatus: provider_status } = failure;
  logEvent("warn", code, { ...source, reason, provider_status });
}
