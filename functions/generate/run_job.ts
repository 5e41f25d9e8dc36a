import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { isUnavailable } from "../_shared/database.ts";
import {
  isJobFailure,
  type JobFailure,
  logFailure,
  toJobError,
} from "../_shared/job_failure.ts";
import { logUnexpected } from "../_shared/log.ts";
import { type MediaJob, toMediaRequest } from "../_shared/media_request.ts";
import { sniff } from "../_shared/media_types.ts";
import type { OutputPlace, OutputStore } from "../_shared/outputs.ts";
import { Problem, serviceUnavailable } from "../_shared/problem.ts";
import { makeFiles } from "../_shared/providers/make_files.ts";
import type { MadeFile, StoredOutput } from "../_shared/providers/media.ts";
import { type Provider, ProviderError } from "../_shared/providers/provider.ts";
import type { ChargedJob, JobError, JobResult } from "../_shared/results.ts";
import { shorterSeconds } from "../_shared/shorter_seconds.ts";

const UPLOADS_AT_ONCE = 4;

/** How a charged job ended: with outputs, or with the error it was refunded for. */
export interface FinishedJob {
  result: JobResult;
  outputs?: StoredOutput[];
  error?: JobError;
}

/** A charged job, and the account that paid. */
export type PaidJob = MediaJob & { accountId: string };

/**
 * Has the provider make what was charged for and keeps it in Storage, then settles the job; or refunds it.
 *
 * @throws {Problem} 503 where the end could not be recorded: the job is then
 * refunded at its deadline.
 */
export async function runJob(
  job: PaidJob,
  provider: Provider | undefined,
  { database, store }: {
    database: Pick<CreditsDatabase, "settle" | "fail">;
    store: Pick<OutputStore, "keep">;
  },
): Promise<FinishedJob> {
  const outputs = await makeOutputs(job, provider, store);
  return outputs instanceof Array
    ? await settle(job, database, outputs)
    : await refund(job, database, outputs);
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
  job: PaidJob,
  provider: Provider | undefined,
  store: Pick<OutputStore, "keep">,
): Promise<StoredOutput[] | JobFailure> {
  const { id: jobId, accountId, max_output_bytes: maxBytes } = job;
  const request = toMediaRequest(job);
  const place = { accountId, jobId, maxBytes, type: request.type };
  try {
    return await keepAll(await makeFiles(provider, request), place, store);
  } catch (error) {
    if (isJobFailure(error)) return error;
    throw error;
  }
}

/** Keeps all files, or none where one of them cannot be used: what is refunded is not given. */
async function keepAll(
  files: readonly MadeFile[],
  place: Omit<OutputPlace, "index">,
  store: Pick<OutputStore, "keep">,
): Promise<StoredOutput[]> {
  if (!files.every((file) => isUsable(file, place))) {
    throw new ProviderError("broken_response");
  }
  const kept: StoredOutput[] = [];
  for (let from = 0; from < files.length; from += UPLOADS_AT_ONCE) {
    const next = files.slice(from, from + UPLOADS_AT_ONCE).map((file, at) =>
      store.keep(file, { ...place, index: from + at })
    );
    // A refund queues what is there by then: no upload may go on beyond it.
    await Promise.allSettled(next);
    kept.push(...await Promise.all(next));
  }
  return kept;
}

/** What streams is judged while it is kept. */
function isUsable(
  { body }: MadeFile,
  { type, maxBytes }: Omit<OutputPlace, "index">,
): boolean {
  return !(body instanceof Uint8Array) ||
    body.length <= maxBytes && sniff(body)?.types.includes(type) === true;
}

async function settle(
  job: ChargedJob,
  database: Pick<CreditsDatabase, "settle" | "fail">,
  outputs: StoredOutput[],
): Promise<FinishedJob> {
  try {
    const { input } = job;
    const asked = input.type === "video" ? input.seconds : undefined;
    const used = shorterSeconds(asked, outputs);
    const result = await database.settle(job.id, outputs, used);
    return { outputs, result };
  } catch (error) {
    if (isUnavailable(error)) throw endNotRecorded(job.id);
    // The database refuses this output for good: give the credits back at once.
    logUnexpected(error, { job_id: job.id });
    return await refund(job, database, new ProviderError("broken_response"));
  }
}

/**
 * Refunds a job that has no output.
 *
 * @throws {Problem} 503 where the refund could not be recorded
 */
export async function refund(
  job: ChargedJob,
  database: Pick<CreditsDatabase, "fail">,
  failure: JobFailure,
): Promise<FinishedJob> {
  logFailure(failure, job);
  const error = toJobError(failure);
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
