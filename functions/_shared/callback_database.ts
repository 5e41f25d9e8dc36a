import { z } from "zod";
import { repeatWhileUnavailable, run, serviceClient } from "./database.ts";
import type {
  Callback,
  ProviderHandle,
} from "./providers/callback_provider.ts";
import {
  type CallbackResult,
  callbackResult,
  type JobError,
  type JobResult,
  jobResult,
  type ProviderAsk,
  providerAsk,
  providerJob,
  providerUrls,
} from "./results.ts";

// A client or a provider waits. What is lost here is made up for by the next callback.
const ATTEMPTS = 2;

/** A job by its provider's own id. */
interface JobOfProvider {
  jobId: string;
  provider: string;
  providerJobId: string;
}

/** What a provider says of a job. */
export interface ReceivedCallback extends JobOfProvider {
  outcome: Callback["outcome"];
  /** Why the job failed. */
  error?: JobError;
}

/** What a provider answers about a job. */
export interface ProviderAnswer extends JobOfProvider {
  answer: Callback["outcome"] | "unknown";
  /** Why the job failed, or why it is not known how it stands. */
  error?: JobError;
}

/** The functions of SQL for jobs that a provider calls back about. Each throws DatabaseError where the database cannot be reached. */
export interface CallbackDatabase {
  /** Notes that the provider has the job. */
  start(jobId: string, handle: ProviderHandle): Promise<JobResult>;
  receive(callback: ReceivedCallback): Promise<CallbackResult>;
  /** Takes jobs that their providers are to be asked about. What is claimed and never answered is due again later. */
  claimAsks(limit: number): Promise<ProviderAsk[]>;
  answered(answer: ProviderAnswer): Promise<CallbackResult>;
  /** What a job's provider is asked by; null where it does not have the job yet. */
  handle(jobId: string): Promise<ProviderHandle & { provider: string } | null>;
}

/** The jobs of this project's database, called as the service. */
export const callbackDatabase: CallbackDatabase = {
  start: (jobId, { id, urls }) =>
    repeatWhileUnavailable(
      () =>
        run(
          serviceClient().rpc("start_generation", {
            p_job_id: jobId,
            p_provider_job_id: id,
            p_provider_urls: urls ?? undefined,
          }),
          jobResult,
        ),
      ATTEMPTS,
    ),
  receive: ({ jobId, provider, providerJobId, outcome, error }) =>
    repeatWhileUnavailable(
      () =>
        run(
          serviceClient().rpc("receive_callback", {
            p_job_id: jobId,
            p_provider: provider,
            p_provider_job_id: providerJobId,
            p_outcome: outcome,
            p_error: error,
          }),
          callbackResult,
        ),
      ATTEMPTS,
    ),
  claimAsks: (limit) =>
    run(
      serviceClient().rpc("claim_provider_asks", { p_limit: limit }),
      z.array(providerAsk),
    ),
  answered: ({ jobId, provider, providerJobId, answer, error }) =>
    repeatWhileUnavailable(
      () =>
        run(
          serviceClient().rpc("provider_answered", {
            p_job_id: jobId,
            p_provider: provider,
            p_provider_job_id: providerJobId,
            p_answer: answer,
            p_error: error,
          }),
          callbackResult,
        ),
      ATTEMPTS,
    ),
  handle: async (jobId) => {
    const [job, noted] = await Promise.all([
      run(
        serviceClient().from("generation_jobs")
          .select("provider, provider_job_id").eq("id", jobId).maybeSingle(),
        providerJob.nullable(),
      ),
      run(
        serviceClient().from("generation_provider_jobs")
          .select("urls").eq("job_id", jobId).maybeSingle(),
        z.object({ urls: providerUrls }).nullable(),
      ),
    ]);
    const id = job?.provider_job_id;
    if (!id) return null;
    return { id, provider: job.provider, urls: noted?.urls ?? null };
  },
};
