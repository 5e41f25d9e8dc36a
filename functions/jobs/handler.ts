import { z } from "zod";
import { DatabaseError } from "../_shared/database.ts";
import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { moment } from "../_shared/moment.ts";
import { parseQuery, readCursor, toPage } from "../_shared/page.ts";
import { Problem } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import {
  asUser,
  type UserContext,
  type UserDependencies,
} from "../_shared/user_handler.ts";
import { type CancelDependencies, cancelJob } from "./cancel.ts";
import {
  cancelContract,
  type ChargedJobDetail,
  deleteOutputContract,
  eraseContract,
  type JobPage,
  listContract,
  listQuery,
  showContract,
} from "./contract.ts";
import { deleteFiles, jobAnswer, type OutputDependencies } from "./outputs.ts";
import { ownJob, withCharged } from "./own_job.ts";
import { visibleAccountId } from "../_shared/visible_account.ts";

/** What `jobs` works with. */
export interface JobsDependencies
  extends UserDependencies, OutputDependencies, CancelDependencies {
  database: Pick<CreditsDatabase, "cancel" | "erase">;
}

/** The routes of `jobs`: a page, one job, cancel, delete prompt and output, delete the output alone. */
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
  const deleteOutput = asUser(
    dependencies,
    (context) => deleteJobOutput(context, dependencies),
  );
  return [
    { method: "GET", path: "", contract: listContract, handler: list },
    { method: "GET", path: "/:id", contract: showContract, handler: show },
    {
      method: "DELETE",
      path: "/:id",
      contract: cancelContract,
      handler: cancel,
    },
    {
      method: "POST",
      path: "/:id/cancel",
      contract: cancelContract,
      handler: cancel,
    },
    {
      method: "DELETE",
      path: "/:id/content",
      contract: eraseContract,
      handler: erase,
    },
    {
      method: "DELETE",
      path: "/:id/output",
      contract: deleteOutputContract,
      handler: deleteOutput,
    },
  ];
}

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
  return json<JobPage>({ ...page, data: page.data.map(withCharged) });
}

async function showJob(
  context: UserContext,
  { store }: JobsDependencies,
): Promise<Response> {
  return await jobAnswer(withCharged(await ownJob(context)), store);
}

async function eraseJob(
  context: UserContext,
  { database }: JobsDependencies,
): Promise<Response> {
  const { id } = await ownJob(context);
  await database.erase(id, context.user.id).catch(explainKept);
  return json<ChargedJobDetail>(withCharged(await ownJob(context)));
}

async function deleteJobOutput(
  context: UserContext,
  dependencies: JobsDependencies,
): Promise<Response> {
  const { id } = await ownJob(context);
  await deleteFiles(id, context.user.id, dependencies).catch(explainKept);
  return await showJob(context, dependencies);
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
