import type { CallbackDatabase } from "../_shared/callback_database.ts";
import { cancelAtProvider } from "../_shared/cancel_at_provider.ts";
import { DatabaseError } from "../_shared/database.ts";
import { followWord, type ProviderWord } from "../_shared/follow_word.ts";
import { toJobError } from "../_shared/job_failure.ts";
import { logEvent } from "../_shared/log.ts";
import { Problem } from "../_shared/problem.ts";
import { ProviderError } from "../_shared/providers/provider.ts";
import type { CallbackResult } from "../_shared/results.ts";
import type { EndDependencies } from "../_shared/settle_made.ts";

/** What a callback moves a job with. */
export interface CallbackDependencies extends EndDependencies {
  database: EndDependencies["database"] & Pick<CallbackDatabase, "receive">;
}

/**
 * Does to a job what its provider says: it fails, or its files are copied into Storage and it is settled.
 * The first end stays: a later or repeated callback changes nothing; a provider that only begins then is told.
 *
 * @param signed a callback that is signed, and the job that its address is for
 * @returns what came of it: running, settled, failed, canceled, unchanged, late or late_kept
 * @throws {Problem} 404 for a job that is not this provider's; 503 where the same callback may do better later
 */
export async function receiveCallback(
  signed: ProviderWord,
  dependencies: CallbackDependencies,
): Promise<string> {
  const { jobId, name, provider, callback } = signed;
  const { providerJobId, outcome, reason } = callback;
  const error = reason && toJobError(new ProviderError(reason));
  const result = await dependencies.database.receive(
    { jobId, provider: name, providerJobId, outcome, error },
  ).catch((cause) => explainUnknown(cause, signed));
  if (outcome === "running" && isRefunded(result)) {
    const handle = { id: providerJobId, urls: null };
    await cancelAtProvider(jobId, (signal) => provider.cancel(handle, signal));
  }
  return await followWord(signed, result, dependencies);
}

function isRefunded({ status }: CallbackResult): boolean {
  return status === "failed" || status === "canceled" || status === "expired";
}

function explainUnknown(error: unknown, { jobId, name }: ProviderWord): never {
  if (error instanceof DatabaseError && error.sqlState === "PT404") {
    logEvent("warn", "callback_of_no_job", { job_id: jobId, provider: name });
    throw new Problem("not_found", "This provider was not given this job.");
  }
  throw error;
}
