import { isUnavailable } from "../_shared/database.ts";
import { jsonWithFiles } from "../_shared/json_with_files.ts";
import { logEvent } from "../_shared/log.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import { serviceUnavailable } from "../_shared/problem.ts";
import { type ResponseFormat, showOutputs } from "../_shared/shown_outputs.ts";
import type { StorageDatabase } from "../_shared/storage_database.ts";
import { StoreError } from "../_shared/store_error.ts";
import type { JobDetail } from "../_shared/user_rows.ts";

/** What reads and deletes outputs. */
export interface OutputDependencies {
  store: Pick<OutputStore, "sign" | "read" | "remove">;
  storageDatabase: Pick<StorageDatabase, "deleteOutput" | "finishDeletions">;
}

/**
 * Answers a job with its outputs as `generate` answers them. What is no list of outputs, such as a
 * text that is kept, stays in `output`.
 */
export async function jobAnswer<T extends JobDetail>(
  job: T,
  store: OutputDependencies["store"],
): Promise<Response> {
  const { outputs: kept } = (job.output ?? {}) as { outputs?: unknown };
  if (!Array.isArray(kept)) return jsonWithFiles(job);
  const outputs = job.output_deleted_at === null
    ? await showOutputs(job.id, kept, formatOf(job), store)
      .catch(explainHidden)
    : kept;
  return jsonWithFiles({ ...job, output: null, outputs });
}

/** Deletes the files of a job's output; what Storage does not delete now, the task does. */
export async function deleteFiles(
  jobId: string,
  memberId: string,
  { store, storageDatabase }: OutputDependencies,
): Promise<void> {
  const paths = await storageDatabase.deleteOutput(jobId, memberId);
  if (paths.length === 0) return;
  try {
    await store.remove(paths);
    await storageDatabase.finishDeletions(paths);
  } catch (error) {
    if (!(error instanceof StoreError || isUnavailable(error))) throw error;
    logEvent("warn", "deleted_later", { job_id: jobId });
  }
}

function formatOf({ input }: JobDetail): ResponseFormat {
  const { response_format } = (input ?? {}) as { response_format?: unknown };
  return response_format === "base64" ? "base64" : "url";
}

function explainHidden(error: unknown): never {
  if (!(error instanceof StoreError)) throw error;
  throw serviceUnavailable(
    "The outputs cannot be shown now. Look at the job again in a moment.",
  );
}
