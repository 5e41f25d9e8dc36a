import { logEvent } from "./log.ts";

const CANCEL_MS = 5_000;

/**
 * Tells the provider of a job that nobody waits for it, as what it goes on making costs the
 * operator. Whether it listens changes nothing for the user, so this never throws.
 */
export async function cancelAtProvider(
  jobId: string,
  cancel: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  try {
    await cancel(AbortSignal.timeout(CANCEL_MS));
  } catch {
    logEvent("warn", "not_canceled_at_provider", { job_id: jobId });
  }
}
