import { repeatWhileUnavailable, run, serviceClient } from "./database.ts";
import type { Callback } from "./providers/callback_provider.ts";
import {
  type CallbackResult,
  callbackResult,
  type JobError,
  type JobResult,
  jobResult,
} from "./results.ts";

// A client or a provider waits. What is lost here is made up for by the next callback.
const ATTEMPTS = 2;

/** What a provider says of a job. */
export interface ReceivedCallback {
  jobId: string;
  provider: string;
  providerJobId: string;
  outcome: Exclude<Callback["outcome"], "canceled">;
  /** Why the job failed. */
  error?: JobError;
}

/** The functions of SQL for jobs that a provider calls back about. Each throws DatabaseError where the database cannot be reached. */
export interface CallbackDatabase {
  /** Notes that the provider has the job. */
  start(jobId: string, providerJobId: string): Promise<JobResult>;
  receive(callback: ReceivedCallback): Promise<CallbackResult>;
}

/** The jobs of this project's database, called as the service. */
export const callbackDatabase: CallbackDatabase = {
  start: (jobId, providerJobId) =>
    repeatWhileUnavailable(
      () =>
        run(
          serviceClient().rpc("start_generation", {
            p_job_id: jobId,
            p_provider_job_id: providerJobId,
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
};
