import { z } from "zod";
import {
  type Query,
  repeatWhileUnavailable,
  run,
  serviceClient,
} from "./database.ts";
import type { GenerationInput } from "./generation_request.ts";
import type { StoredOutput } from "./providers/media.ts";
import {
  type ChargeResult,
  chargeResult,
  type JobError,
  type JobResult,
  jobResult,
} from "./results.ts";

const CHARGE_ATTEMPTS = 3;
// A result is in hand and paid for: worth about ten seconds of patience.
const END_ATTEMPTS = 6;

/** A request to charge an account for one generation. */
export interface ChargeRequest {
  accountId: string;
  /** Who asks: the account's own user, or a member of its team; left out for the app's own server. */
  memberId?: string;
  model: string;
  input: GenerationInput;
  /** Makes a repeated charge the same charge: never empty. */
  idempotencyKey: string;
  requestId: string;
}

/** The functions of SQL that move credits. Each throws DatabaseError where the database cannot be reached. */
export interface CreditsDatabase {
  charge(request: ChargeRequest): Promise<ChargeResult>;
  /** Ends a job with its outputs; `seconds` are those of its video, where it used fewer than were charged. */
  settle(
    jobId: string,
    outputs: StoredOutput[],
    seconds?: number,
  ): Promise<JobResult>;
  fail(jobId: string, error: JobError): Promise<JobResult>;
  /** Gives a refunded job its output; false where it has changed meanwhile. */
  keepLate(jobId: string, outputs: StoredOutput[]): Promise<boolean>;
  /** `isAcknowledged`: its provider has said that it has stopped. */
  cancel(
    jobId: string,
    memberId: string,
    options?: { isAcknowledged?: boolean },
  ): Promise<JobResult>;
  /** Deletes a job's prompt and output. */
  erase(jobId: string, memberId: string): Promise<void>;
}

/** The credits of this project's database, called as the service. */
export const creditsDatabase: CreditsDatabase = {
  charge: (request) =>
    repeatWhileUnavailable(() => charge(request), CHARGE_ATTEMPTS),
  settle: (jobId, outputs, seconds) =>
    endJob(() =>
      serviceClient().rpc("settle_generation", {
        p_job_id: jobId,
        p_output: { outputs },
        ...(seconds && { p_actual_usage: { seconds } }),
      })
    ),
  fail: (jobId, error) =>
    endJob(() =>
      serviceClient().rpc("fail_generation", {
        p_job_id: jobId,
        p_error: error,
      })
    ),
  keepLate: (jobId, outputs) =>
    repeatWhileUnavailable(
      () =>
        run(
          serviceClient().rpc("keep_late_output", {
            p_job_id: jobId,
            p_output: { outputs },
          }),
          z.boolean(),
        ),
      END_ATTEMPTS,
    ),
  cancel: (jobId, memberId, { isAcknowledged = false } = {}) =>
    endJob(() =>
      serviceClient().rpc("cancel_generation", {
        p_job_id: jobId,
        p_member_id: memberId,
        p_acknowledged: isAcknowledged,
      })
    ),
  erase: async (jobId, memberId) => {
    const erased = () =>
      run(
        serviceClient().rpc("erase_job", {
          p_job_id: jobId,
          p_member_id: memberId,
        }),
        z.boolean(),
      );
    await repeatWhileUnavailable(erased, CHARGE_ATTEMPTS);
  },
};

function charge(request: ChargeRequest): Promise<ChargeResult> {
  const query = serviceClient().rpc("atomic_charge_credits", {
    p_account_id: request.accountId,
    p_model: request.model,
    p_input: request.input,
    p_idempotency_key: request.idempotencyKey,
    p_request_id: request.requestId,
    p_member_id: request.memberId,
    // What is charged here goes to its provider at once.
    p_start: true,
  });
  return run(query, chargeResult);
}

function endJob(query: () => Query): Promise<JobResult> {
  return repeatWhileUnavailable(() => run(query(), jobResult), END_ATTEMPTS);
}
