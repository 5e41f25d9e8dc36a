import { logUnexpected } from "../_shared/log.ts";
import { type Came, countedUsage, type OpenJob } from "./end_job.ts";
import { UpstreamFailure } from "./failure.ts";

const INTERVAL_MS = 2_000;

/**
 * Notes what has come, from the first text on: should this process die, the sweeper settles by it.
 *
 * @returns to be called whenever something has come
 */
export function progressNotes(
  open: OpenJob,
  came: Came,
  abort: AbortController,
): () => void {
  let notedAt = -Infinity;
  let isUnderWay = false;
  const note = async () => {
    const { usage } = countedUsage(open, came, true);
    try {
      const isOpen = await open.database.progress(open.job.id, usage);
      // It was canceled or refunded meanwhile: nobody pays for the rest.
      if (!isOpen) abort.abort(new UpstreamFailure("timeout"));
    } catch (error) {
      logUnexpected(error, { job_id: open.job.id });
    } finally {
      isUnderWay = false;
    }
  };
  return () => {
    const isDue = performance.now() - notedAt >= INTERVAL_MS;
    if (!isDue || isUnderWay || came.delivered.count.isEmpty) return;
    notedAt = performance.now();
    isUnderWay = true;
    void note();
  };
}
