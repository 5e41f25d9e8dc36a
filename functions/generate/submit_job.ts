import type { CallbackDatabase } from "../_shared/callback_database.ts";
import { callbackAddress } from "../_shared/callbacks.ts";
import { isUnavailable } from "../_shared/database.ts";
import { logEvent } from "../_shared/log.ts";
import type {
  CallbackProvider,
  FindCallbackProvider,
} from "../_shared/providers/callback_provider.ts";
import { toProviderError } from "../_shared/providers/classify.ts";
import { ProviderError } from "../_shared/providers/provider.ts";
import type { ChargedJob, JobVerdict } from "../_shared/verdicts.ts";

/** Longest that a provider may take to take a job, in milliseconds. */
const SUBMIT_MS = 15_000;

/** What a job for a provider that calls back needs. */
export interface Callbacks {
  database: Pick<CallbackDatabase, "start">;
  findProvider: FindCallbackProvider;
  /** Where the provider reaches the functions, for instance `https://<ref>.supabase.co/functions/v1`. */
  functionsUrl: string;
}

/** A job that its provider has; `balance` where the database told it. */
export type SubmittedJob = Pick<JobVerdict, "status"> & { balance?: number };

/** Hands a charged job to its provider; a ProviderError where that does not take it. */
export async function submitJob(
  job: ChargedJob,
  provider: CallbackProvider,
  callbacks: Callbacks,
): Promise<SubmittedJob | ProviderError> {
  const providerJobId = await submit(job, provider, callbacks.functionsUrl);
  if (providerJobId instanceof ProviderError) return providerJobId;
  try {
    return await callbacks.database.start(job.id, providerJobId);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    // The first callback tells the same.
    logEvent("warn", "submission_not_noted", { job_id: job.id });
    return { status: "pending" };
  }
}

async function submit(
  job: ChargedJob,
  provider: CallbackProvider,
  functionsUrl: string,
): Promise<string | ProviderError> {
  const [secret] = provider.secrets;
  if (!secret) return new ProviderError("invalid_key");
  const { id, input, provider_model: providerModel } = job;
  const address = await callbackAddress(
    functionsUrl,
    job.provider,
    id,
    secret,
  );
  const timeoutMs = job.timeout_seconds * 1000;
  const signal = AbortSignal.timeout(Math.min(timeoutMs, SUBMIT_MS));
  try {
    const request = { ...input, providerModel, timeoutMs };
    return await provider.submit(request, address, signal);
  } catch (error) {
    return signal.aborted
      ? new ProviderError("timeout")
      : toProviderError(error);
  }
}
