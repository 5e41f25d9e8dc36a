import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { isUnavailable } from "../_shared/database.ts";
import { logEvent, logUnexpected } from "../_shared/log.ts";
import { toMediaRequest } from "../_shared/media_request.ts";
import { toOutput } from "../_shared/output.ts";
import { Problem, serviceUnavailable } from "../_shared/problem.ts";
import { makeImages } from "../_shared/providers/images.ts";
import { type Provider, ProviderError } from "../_shared/providers/provider.ts";
import type {
  ChargedJob,
  JobError,
  JobResult,
  Output,
} from "../_shared/results.ts";

/** How a charged job ended: with outputs, or with the error it was refunded for. */
export interface FinishedJob {
  result: JobResult;
  outputs?: Output[];
  error?: JobError;
}

/**
 * Has the provider make what was charged for, then settles the job or refunds it.
 *
 * @throws {Problem} 503 where the end could not be recorded: the job is then
 * refunded at its deadline.
 */
export async function runJob(
  job: ChargedJob,
  database: CreditsDatabase,
  provider: Provider | undefined,
): Promise<FinishedJob> {
  const made = await makeOutputs(job, provider);
  if (made instanceof ProviderError) return await refund(job, database, made);
  return await settle(job, database, made);
}

/**
 * Refunds a job that nobody can run any more, because something went wrong here.
 *
 * @throws {Problem} 503 where the refund could not be recorded; `cause` where the job
 * has succeeded meanwhile.
 */
export async function giveBack(
  jobId: string,
  database: CreditsDatabase,
  cause: unknown,
) {
  logUnexpected(cause, { job_id: jobId });
  const error = {
    code: "internal_error",
    message: "The generation could not be carried out.",
  };
  const ended = await database.fail(jobId, error).catch((failure) => {
    logUnexpected(failure, { job_id: jobId });
    throw endNotRecorded(jobId);
  });
  if (ended.status === "succeeded") throw cause;
  const { status, refunded, balance } = ended;
  return { id: jobId, status, refunded, balance, error };
}

async function makeOutputs(
  job: ChargedJob,
  provider: Provider | undefined,
): Promise<Output[] | ProviderError> {
  const request = toMediaRequest(job);
  try {
    // Nothing else can be kept yet.
    if (request.type !== "image") throw new ProviderError("provider_error");
    const images = await makeImages(provider, request);
    return images.map((image) => toOutput(image, job.input.response_format));
  } catch (error) {
    if (error instanceof ProviderError) return error;
    throw error;
  }
}

async function settle(
  job: ChargedJob,
  database: CreditsDatabase,
  outputs: Output[],
): Promise<FinishedJob> {
  try {
    return { outputs, result: await database.settle(job.id, outputs) };
  } catch (error) {
    if (isUnavailable(error)) throw endNotRecorded(job.id);
    // The database refuses this output for good: give the credits back at once.
    logUnexpected(error, { job_id: job.id });
    return await refund(job, database, new ProviderError("broken_response"));
  }
}

/**
 * Refunds a job that its provider failed.
 *
 * @throws {Problem} 503 where the refund could not be recorded
 */
export async function refund(
  job: ChargedJob,
  database: Pick<CreditsDatabase, "fail">,
  failure: ProviderError,
): Promise<FinishedJob> {
  const { code, reason, message } = failure;
  logEvent("warn", code, {
    job_id: job.id,
    provider: job.provider,
    reason,
    provider_status: failure.providerStatus,
  });
  const error = { code, reason, message };
  try {
    return { error, result: await database.fail(job.id, error) };
  } catch (cause) {
    if (isUnavailable(cause)) throw endNotRecorded(job.id);
    throw cause;
  }
}

function endNotRecorded(jobId: string): Problem {
  return serviceUnavailable(
    "The end of the job could not be recorded. Look at the job later: " +
      "without a result its credits come back at its deadline.",
    { job_id: jobId },
  );
}
