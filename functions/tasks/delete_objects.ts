import { logEvent } from "../_shared/log.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import type { StorageDatabase } from "../_shared/storage_database.ts";
import { StoreError } from "../_shared/store_error.ts";
import type { Deleted } from "./contract.ts";

/** Storage takes up to a thousand paths in a call. */
const PATHS_AT_ONCE = 100;

/** What the task works with. */
export interface DeleteDependencies {
  database: Pick<StorageDatabase, "claimDeletions" | "finishDeletions">;
  store: Pick<OutputStore, "remove">;
}

/**
 * Deletes files that are queued for it, until none is due or the time is over. What Storage does not
 * delete now is due again later, and so is what was deleted and could not be noted.
 */
export async function deleteObjects(
  { database, store }: DeleteDependencies,
  isOver: () => boolean,
): Promise<Deleted> {
  const count = { deleted: 0, failed: 0 };
  while (!isOver() && count.failed === 0) {
    const paths = await database.claimDeletions(PATHS_AT_ONCE);
    if (paths.length === 0) break;
    await store.remove(paths).catch(logFailure);
    const deleted = await database.finishDeletions(paths);
    count.deleted += deleted;
    count.failed += paths.length - deleted;
  }
  return count;
}

function logFailure(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
  logEvent("error", "files_not_deleted", { detail: error.message });
}
