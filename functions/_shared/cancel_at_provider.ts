import { logEvent } from "./log.ts";

const CANCEL_MS = 5_000;

/**
 * Tells the provider of a job that nobody waits for it, as what it goes on making costs the
 * operator. This never throws.
 *
 * @returns what the provider said; undefined where it did not take it
 */
export async function cancelAtProvider<T>(
  jobId: string,
  cancel: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await cancel(AbortSignal.timeout(CANCEL_MS));
  } catch {
    logEvent("warn", "not_canceled_at_provider", { job_id: jobId });
    return undefined;
  }
}
