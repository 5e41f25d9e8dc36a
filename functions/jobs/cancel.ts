import type { CallbackDatabase } from "../_shared/callback_database.ts";
import { cancelAtProvider } from "../_shared/cancel_at_provider.ts";
import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { DatabaseError } from "../_shared/database.ts";
import { DENIALS } from "../_shared/denials.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import { Problem } from "../_shared/problem.ts";
import type { FindCallbackProvider } from "../_shared/providers/callback_provider.ts";
import type { JobResult } from "../_shared/results.ts";
import { json } from "../_shared/route.ts";
import type { UserContext } from "../_shared/user_handler.ts";
import type { CanceledJob, CancelingJob } from "./contract.ts";
import { ownJob, withCharged } from "./own_job.ts";

/** When to look at a job again whose provider has not stopped it, in seconds. */
const LOOK_AGAIN_SECONDS = 5;

/** What cancels jobs. */
export interface CancelDependencies {
  database: Pick<CreditsDatabase, "cancel">;
  callbackDatabase: Pick<CallbackDatabase, "handle">;
  findCallbackProvider: FindCallbackProvider;
}

/**
 * Cancels a job: at once, where no provider has it. One that a provider has is refunded once that has stopped it: 200
 * where it says so now; else 202, the job goes on, and the task asks again.
 */
export async function cancelJob(
  context: UserContext,
  dependencies: CancelDependencies,
): Promise<Response> {
  // The cancel runs as the service: RLS must show the job, and SQL decides whether this member may.
  const { id } = await ownJob(context);
  const { code, status, balance } = await keepAlive(() =>
    cancel(id, context.user.id, dependencies)
  ).catch(explainRefusal);
  if (code === "job_running" || code === "cancels_used_up") {
    throw new Problem(code, DENIALS[code].message, {
      members: { job_id: id },
    });
  }
  if (code === "cancel_requested") {
    return json<CancelingJob>(
      {
        ...withCharged(await ownJob(context)),
        code,
        detail:
          "The provider was asked to stop the job and has not done so yet. The job is refunded once it has, " +
          "and charged if it succeeds all the same.",
        balance,
      },
      { "retry-after": String(LOOK_AGAIN_SECONDS) },
      202,
    );
  }
  if (status !== "canceled") {
    throw new Problem(
      "job_ended",
      `The job had already ended as ${status}; a job can be canceled while it is pending or running.`,
      { members: { job_id: id, job_status: status } },
    );
  }
  return json<CanceledJob>({ ...withCharged(await ownJob(context)), balance });
}

async function cancel(
  id: string,
  memberId: string,
  { database, callbackDatabase, findCallbackProvider }: CancelDependencies,
): Promise<JobResult> {
  const result = await database.cancel(id, memberId);
  if (result.code !== "cancel_requested") return result;
  const said = await cancelAtProvider(id, async (signal) => {
    const handle = await callbackDatabase.handle(id);
    if (!handle) return undefined;
    const provider = findCallbackProvider(handle.provider);
    return await provider?.cancel(handle, signal);
  });
  return said === "canceled"
    ? await database.cancel(id, memberId, { isAcknowledged: true })
    : result;
}

function explainRefusal(error: unknown): never {
  if (error instanceof DatabaseError && error.sqlState === "PT403") {
    throw new Problem(
      "not_allowed_to_spend",
      "A member who may spend can cancel their own jobs, an owner or admin of the team all.",
    );
  }
  throw error;
}
