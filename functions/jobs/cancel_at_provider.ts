import { logEvent } from "../_shared/log.ts";
import type { FindCallbackProvider } from "../_shared/providers/callback_provider.ts";
import type { UserRows } from "../_shared/user_rows.ts";

const CANCEL_MS = 5_000;

/**
 * Tells the provider of a job that was canceled here that nobody waits for it. Whether it
 * listens changes nothing for the user, so it never throws.
 */
export async function cancelAtProvider(
  jobId: string,
  rows: Pick<UserRows, "providerJob">,
  findProvider: FindCallbackProvider,
): Promise<void> {
  try {
    const job = await rows.providerJob(jobId);
    if (!job?.provider_job_id) return;
    const signal = AbortSignal.timeout(CANCEL_MS);
    await findProvider(job.provider)?.cancel(job.provider_job_id, signal);
  } catch {
    logEvent("warn", "not_canceled_at_provider", { job_id: jobId });
  }
}
