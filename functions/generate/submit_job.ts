import type { CallbackDatabase } from "../_shared/callback_database.ts";
import { callbackAddress } from "../_shared/callbacks.ts";
import { cancelAtProvider } from "../_shared/cancel_at_provider.ts";
import { isUnavailable } from "../_shared/database.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import { logEvent } from "../_shared/log.ts";
import { type MediaJob, toMediaRequest } from "../_shared/media_request.ts";
import type {
  CallbackProvider,
  FindCallbackProvider,
  ProviderHandle,
} from "../_shared/providers/callback_provider.ts";
import { toProviderError } from "../_shared/providers/classify.ts";
import { ProviderError } from "../_shared/providers/provider.ts";
import type { JobResult } from "../_shared/results.ts";

/** Longest that a provider may take to take a job, in milliseconds. */
const SUBMIT_MS = 15_000;

/** What a job for a provider that calls back needs. */
export interface Callbacks {
  database: Pick<CallbackDatabase, "start">;
  findProvider: FindCallbackProvider;
  /** Where the provider reaches the functions, for instance `https://<ref>.supabase.co/functions/v1`. */
  functionsUrl: string;
}

/** A job that its provider has, or may have; with balance and refund where the database answered. */
export type SubmittedJob =
  & Pick<JobResult, "status">
  & Partial<Pick<JobResult, "balance" | "refunded">>;

/**
 * Hands a charged job to its provider; a ProviderError where that does not take it. Where it is open
 * whether the provider has it, the job waits for its callback, and is refunded at its deadline. Where the
 * job was canceled or refunded meanwhile, the provider is told at once that nobody waits for it.
 */
export async function submitJob(
  job: MediaJob,
  provider: CallbackProvider,
  callbacks: Callbacks,
): Promise<SubmittedJob | ProviderError> {
  const handle = await submit(job, provider, callbacks.functionsUrl);
  if (handle instanceof ProviderError) {
    if (!mayBeTaken(handle)) return handle;
    logEvent("warn", "submission_open", {
      job_id: job.id,
      reason: handle.reason,
    });
    return { status: "pending" };
  }
  const submitted = await note(job, handle, callbacks);
  if (isOver(submitted)) {
    void keepAlive(() =>
      cancelAtProvider(
        job.id,
        (signal) => provider.cancel(handle, signal),
      )
    );
  }
  return submitted;
}

/** Whether a job was canceled, or its deadline came, before it was known that its provider has it. */
export function isOver({ status }: SubmittedJob): boolean {
  return status === "canceled" || status === "expired";
}

/** Whether the provider may have the job all the same: its answer was lost, late or unreadable, and no refusal. */
function mayBeTaken({ wasReached, providerStatus = 0 }: ProviderError) {
  return wasReached && providerStatus < 300;
}

async function note(
  job: MediaJob,
  handle: ProviderHandle,
  { database }: Callbacks,
): Promise<SubmittedJob> {
  try {
    return await database.start(job.id, handle);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    // The first callback says the same.
    logEvent("warn", "submission_not_noted", { job_id: job.id });
    return { status: "running" };
  }
}

async function submit(
  job: MediaJob,
  provider: CallbackProvider,
  functionsUrl: string,
): Promise<ProviderHandle | ProviderError> {
  const [secret] = provider.addressSecrets;
  if (!secret) return new ProviderError("invalid_key");
  const address = await callbackAddress(
    functionsUrl,
    job.provider,
    job.id,
    secret,
  );
  const timeoutMs = job.timeout_seconds * 1000;
  const signal = AbortSignal.timeout(Math.min(timeoutMs, SUBMIT_MS));
  try {
    return await provider.submit(toMediaRequest(job), address, signal);
  } catch (error) {
    return signal.aborted
      ? new ProviderError("timeout")
      : toProviderError(error);
  }
}
