import { z } from "zod";
import { parseFields } from "../_shared/body.ts";
import { cancelAtProvider } from "../_shared/cancel_at_provider.ts";
import { DatabaseError } from "../_shared/database.ts";
import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { DENIALS } from "../_shared/denials.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import { moment } from "../_shared/moment.ts";
import {
  accountQuery,
  pageQuery,
  parseQuery,
  readCursor,
  toPage,
} from "../_shared/page.ts";
import { Problem } from "../_shared/problem.ts";
import type { FindCallbackProvider } from "../_shared/providers/callback_provider.ts";
import { json, type Route } from "../_shared/route.ts";
import {
  asUser,
  type UserContext,
  type UserDependencies,
} from "../_shared/user_handler.ts";
import type { JobDetail, JobRow } from "../_shared/user_rows.ts";
import { jobAnswer, type OutputDependencies } from "./outputs.ts";
import { jobStatus } from "../_shared/results.ts";
import { visibleAccountId } from "../_shared/visible_account.ts";

/** What `jobs` works with. */
export interface JobsDependencies extends UserDependencies, OutputDependencies {
  database: Pick<CreditsDatabase, "cancel" | "erase" | "providerJob">;
  findCallbackProvider: FindCallbackProvider;
}

/** The routes of `jobs`: a page, one job, cancel, delete prompt and output. */
export function jobRoutes(dependencies: JobsDependencies): Route[] {
  const list = asUser(
    dependencies,
    (context) => listJobs(context, dependencies),
  );
  const show = asUser(
    dependencies,
    (context) => showJob(context, dependencies),
  );
  const cancel = asUser(
    dependencies,
    (context) => cancelJob(context, dependencies),
  );
  const erase = asUser(
    dependencies,
    (context) => eraseJob(context, dependencies),
  );
  return [
    { method: "GET", path: "", handler: list },
    { method: "GET", path: "/:id", handler: show },
    { method: "DELETE", path: "/:id", handler: cancel },
    { method: "POST", path: "/:id/cancel", handler: cancel },
    { method: "DELETE", path: "/:id/content", handler: erase },
  ];
}

const listQuery = pageQuery.extend({
  ...accountQuery,
  status: jobStatus.optional(),
});

const idQuery = z.strictObject({ id: z.guid("must be a UUID") });

const position = z.strictObject({ created_at: moment, id: z.guid() });

async function listJobs(
  context: UserContext,
  dependencies: JobsDependencies,
): Promise<Response> {
  const { url, rows } = context;
  if (url.searchParams.has("id")) return await showJob(context, dependencies);
  const { account_id, limit, cursor, status } = parseQuery(listQuery, url);
  const after = readCursor(cursor, position);
  const accountId = await visibleAccountId(context, account_id);
  const found = await rows.jobs({
    accountId,
    status,
    after,
    rows: limit + 1,
  });
  const page = toPage(
    found,
    limit,
    ({ created_at, id }) => ({ created_at, id }),
  );
  return json({ ...page, data: page.data.map(withCharged) });
}

async function showJob(
  context: UserContext,
  { store }: JobsDependencies,
): Promise<Response> {
  return await jobAnswer(withCharged(await ownJob(context)), store);
}

async function cancelJob(
  context: UserContext,
  { database, findCallbackProvider }: JobsDependencies,
): Promise<Response> {
  // The cancel runs as the service: RLS must show the job, and SQL decides whether this member may.
  const { id } = await ownJob(context);
  const { code, status, balance } = await database.cancel(id, context.user.id)
    .catch(explainRefusal);
  if (code === "job_running" || code === "cancels_used_up") {
    throw new Problem(code, DENIALS[code].message, {
      members: { job_id: id },
    });
  }
  if (status !== "canceled") {
    throw new Problem(
      "job_ended",
      `The job had already ended as ${status}; a job can be canceled while it is pending or running.`,
      { members: { job_id: id, job_status: status } },
    );
  }
  void keepAlive(() =>
    cancelAtProvider(id, async (signal) => {
      const job = await database.providerJob(id);
      if (!job?.provider_job_id) return;
      await findCallbackProvider(job.provider)
        ?.cancel({ id: job.provider_job_id, urls: null }, signal);
    })
  );
  return json({ ...withCharged(await ownJob(context)), balance });
}

async function eraseJob(
  context: UserContext,
  { database }: JobsDependencies,
): Promise<Response> {
  const { id } = await ownJob(context);
  await database.erase(id, context.user.id).catch(explainKept);
  return json(withCharged(await ownJob(context)));
}

function explainKept(error: unknown): never {
  const sqlState = error instanceof DatabaseError ? error.sqlState : "";
  if (sqlState === "PT403") {
    throw new Problem(
      "not_allowed",
      "Only who asked for this job, or the account's owner or an admin, can delete its content.",
    );
  }
  if (sqlState === "PT409") {
    throw new Problem(
      "job_running",
      "The job has not ended. Cancel it first, or wait for its end.",
    );
  }
  throw error;
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

async function ownJob({ url, params, rows }: UserContext): Promise<JobDetail> {
  const { id } = params.id === undefined
    ? parseQuery(idQuery, url)
    : parseFields(idQuery, { id: params.id });
  const job = await rows.job(id);
  if (!job) throw new Problem("not_found", "You have no job with this id.");
  return job;
}

/** `charged` is what the job cost after all: 0 once it is refunded. */
function withCharged<T extends JobRow>(job: T): T & { charged: number } {
  return { ...job, charged: job.cost - job.refunded };
}
