import { decodeBase64 } from "@std/encoding/base64";
import { isJobFailure, type JobFailure } from "../_shared/job_failure.ts";
import { logEvent } from "../_shared/log.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import { ProviderError } from "../_shared/providers/provider.ts";
import type {
  OutputToMove,
  StorageDatabase,
} from "../_shared/storage_database.ts";
import { StoreError } from "../_shared/store_error.ts";
import type { Moved } from "./contract.ts";

/** Each has its whole output in memory, one after the other. */
const JOBS_AT_ONCE = 10;
/** An output that was kept in the database is moved, however large it is. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

/** What the task works with. */
export interface MoveDependencies {
  database: Pick<StorageDatabase, "claimOutputsToMove" | "finishOutputMove">;
  store: Pick<OutputStore, "keep">;
}

/**
 * Moves files that outputs have in themselves into Storage, until none is due or the time is over. An
 * output changes once all its files are kept: what breaks off before is moved again, to the same places.
 */
export async function moveOutputs(
  { database, store }: MoveDependencies,
  isOver: () => boolean,
): Promise<Moved> {
  const count = { moved: 0, failed: 0 };
  while (!isOver()) {
    const jobs = await database.claimOutputsToMove(JOBS_AT_ONCE);
    if (jobs.length === 0) break;
    for (const job of jobs) {
      if (isOver()) break;
      const failure = await move(job, { database, store });
      count[failure ? "failed" : "moved"]++;
      // Nothing can be kept now.
      if (failure instanceof StoreError) return count;
    }
  }
  return count;
}

async function move(
  { job_id: jobId, account_id: accountId, output }: OutputToMove,
  { database, store }: MoveDependencies,
): Promise<JobFailure | undefined> {
  const place = {
    accountId,
    jobId,
    type: "image",
    maxBytes: MAX_BYTES,
  } as const;
  try {
    const outputs: unknown[] = [];
    for (const [index, file] of output.outputs.entries()) {
      const body = fileOf(file);
      outputs.push(
        body ? await store.keep({ body }, { ...place, index }) : file,
      );
    }
    await database.finishOutputMove(jobId, { outputs });
    return undefined;
  } catch (error) {
    if (!isJobFailure(error)) throw error;
    logEvent("warn", "output_not_moved", {
      job_id: jobId,
      detail: error.message,
    });
    return error;
  }
}

/** The file that an output has in itself. */
function fileOf(output: unknown): Uint8Array<ArrayBuffer> | undefined {
  const { data, url } = (output ?? {}) as { data?: unknown; url?: unknown };
  const inUrl = /^data:[^,]*;base64,/.exec(String(url));
  if (data === undefined && !String(url).startsWith("data:")) return undefined;
  try {
    const base64 = inUrl ? String(url).slice(inUrl[0].length) : String(data);
    return decodeBase64(base64) as Uint8Array<ArrayBuffer>;
  } catch {
    throw new ProviderError("broken_response");
  }
}
