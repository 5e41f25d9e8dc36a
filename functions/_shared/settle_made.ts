import type { CreditsDatabase } from "./credits_database.ts";
import { isUnavailable } from "./database.ts";
import {
  isJobFailure,
  type JobFailure,
  logFailure,
  toJobError,
} from "./job_failure.ts";
import { logEvent, logUnexpected } from "./log.ts";
import type { OutputPlace, OutputStore } from "./outputs.ts";
import { serviceUnavailable } from "./problem.ts";
import type { CallbackProvider } from "./providers/callback_provider.ts";
import { openDownloads } from "./providers/download.ts";
import type { StoredOutput } from "./providers/media.ts";
import { ProviderError } from "./providers/provider.ts";
import { shorterSeconds } from "./shorter_seconds.ts";
import { StoreError } from "./store_error.ts";

/** A job that its provider has made, and where its files are. */
export interface MadeJob extends Omit<OutputPlace, "index"> {
  /** The provider's name in the price book. */
  name: string;
  provider: Pick<CallbackProvider, "keepsFilesAt">;
  urls: readonly string[];
  /** How many files were asked for. */
  n: number;
  /** How long a video was asked for. */
  seconds?: number;
  /** It is refunded, and its output kept all the same. */
  isLate: boolean;
}

/** What a made job is ended with. */
export interface EndDependencies {
  database: Pick<CreditsDatabase, "settle" | "fail" | "keepLate">;
  store: Pick<OutputStore, "keep">;
}

/**
 * Copies the files of a job from its provider into Storage, one after the other, and settles it; or refunds it,
 * where they cannot be used or kept. What is copied of a job that has ended meanwhile is deleted by the task.
 *
 * @returns how it ended: settled, failed, unchanged, late or late_kept
 * @throws {Problem} 503 where the same may do better later
 */
export async function settleMade(
  job: MadeJob,
  { database, store }: EndDependencies,
): Promise<string> {
  try {
    const outputs = await copyOutputs(job, store);
    return job.isLate
      ? await keepLate(job.jobId, outputs, database)
      : await settle(job, outputs, database);
  } catch (failure) {
    if (!isJobFailure(failure)) throw failure;
    if (isPassing(failure)) throw later(failure, job);
    logFailure(failure, { id: job.jobId, provider: job.name });
    if (job.isLate) return "late";
    return (await database.fail(job.jobId, toJobError(failure))).code;
  }
}

/** Copies the files of a job into Storage. */
export async function copyOutputs(
  { provider, urls, n, ...place }: MadeJob,
  store: Pick<OutputStore, "keep">,
): Promise<StoredOutput[]> {
  const outputs: StoredOutput[] = [];
  for await (const file of openDownloads(provider, urls, n)) {
    outputs.push(await store.keep(file, { ...place, index: outputs.length }));
  }
  return outputs;
}

async function keepLate(
  jobId: string,
  outputs: StoredOutput[],
  database: EndDependencies["database"],
): Promise<string> {
  return await database.keepLate(jobId, outputs) ? "late_kept" : "late";
}

async function settle(
  { jobId, seconds }: MadeJob,
  outputs: StoredOutput[],
  database: EndDependencies["database"],
): Promise<string> {
  try {
    const used = shorterSeconds(seconds, outputs);
    return (await database.settle(jobId, outputs, used)).code;
  } catch (error) {
    if (isUnavailable(error)) throw error;
    // The database refuses this output for good: give the credits back at once.
    logUnexpected(error, { job_id: jobId });
    throw new ProviderError("broken_response");
  }
}

function isPassing(failure: JobFailure): boolean {
  return failure instanceof StoreError
    ? failure.isPassing
    : failure.reason === "connection" || failure.reason === "timeout";
}

function later(failure: JobFailure, { jobId, name }: MadeJob) {
  const isStore = failure instanceof StoreError;
  logEvent("warn", isStore ? "storage_out_of_reach" : "files_out_of_reach", {
    job_id: jobId,
    provider: name,
    ...(isStore
      ? { detail: failure.message }
      : { reason: failure.reason, provider_status: failure.providerStatus }),
  });
  return serviceUnavailable(
    isStore
      ? "The files cannot be kept now. Call again."
      : "The files cannot be fetched. Call again.",
  );
}
