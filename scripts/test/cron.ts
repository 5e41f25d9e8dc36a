import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sql } from "postgres";

const ACCOUNT = "00000000-0000-4000-8000-0000000000c1";
// pg_cron runs at the beginning of a minute.
const RUN_SECONDS = 100;
const NEIGHBOUR = "a neighbour's";
/** One that repeats, and one that does not: pg_cron is given different commands for them. */
const OURS = [
  "atomic-credits:expire-grants",
  "atomic-credits:sweep-overdue-jobs",
];
/** pg_cron calls a run succeeded after each of its statements: one that only set its timeout goes on. */
const HAS_ENDED = `d.status = 'succeeded' and d.return_message <> 'SET'`;

/**
 * pg_cron itself must have every task, follow each change without a duplicate,
 * refund an overdue job, and have its own history of our runs pruned.
 *
 * @param sql a connection to a database with pg_cron and the migrations
 * @returns what is wrong
 */
export async function findCronProblems(sql: Sql): Promise<string[]> {
  const problems = await followsTheTable(sql);
  const history = await makeHistory(sql);
  problems.push(
    ...history.problems,
    ...await refundsWhatIsOverdue(sql),
    ...await prunesItsHistory(sql, history),
  );
  return problems;
}

/** A job of somebody else, which runs each minute. */
export async function scheduleNeighbour(sql: Sql): Promise<void> {
  await sql`select cron.schedule(${NEIGHBOUR}, '* * * * *', 'select 1')`;
}

/**
 * Runs an action of which pg_cron learns nothing but that too much has happened, as a transaction as large as
 * a release or a roll back does: its process is held meanwhile.
 *
 * @param superuser sees the process
 */
export async function unheardByCron<T>(
  superuser: Sql,
  action: () => Promise<T>,
): Promise<T> {
  const [{ pid }] = await superuser<[{ pid: number }]>`
    select pid from pg_stat_activity where backend_type = 'pg_cron launcher'`;
  process.kill(pid, "SIGSTOP");
  try {
    return await action();
  } finally {
    const slept = await countSleeps(pid);
    process.kill(pid, "SIGCONT");
    // It has looked around once, and sleeps again.
    while (await countSleeps(pid) < slept + 2) await sleep(100);
  }
}

/** How often a process has waited for something. */
async function countSleeps(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)![1]);
}

/** After the roll back pg_cron must call none of our functions, while it goes on with a neighbour's job. */
export async function stopsByItself(sql: Sql): Promise<string[]> {
  const [{ last }] = await sql<[{ last: string }]>`
    select coalesce(max(runid), 0) as last from cron.job_run_details`;
  const problems = await waitFor(sql, "a neighbour's next run", async () => {
    const runs = await sql`
      select from cron.job_run_details as d join cron.job as j using (jobid)
      where j.jobname = ${NEIGHBOUR} and d.runid > ${last} and ${
      sql.unsafe(HAS_ENDED)
    }`;
    return runs.length > 0;
  });
  const ghosts = await sql<{ command: string; return_message: string }[]>`
    select command, return_message from cron.job_run_details
    where runid > ${last} and command like '%run_task%'`;
  return [
    ...problems,
    ...ghosts.map((run) => `still called: ${JSON.stringify(run)}`),
  ];
}

/** After what was applied, and before anything touches the schedule again, pg_cron must run it. */
export function runsByItself(sql: Sql): Promise<string[]> {
  return waitFor(sql, "the first run", async () => {
    const runs = await sql`select from cron.job_run_details limit 1`;
    return runs.length > 0;
  });
}

async function followsTheTable(sql: Sql): Promise<string[]> {
  const problems: string[] = [];
  const compare = async (when: string) => {
    const wrong = await sql`
      select coalesce(t.name, j.jobname) as name, count(*) from
        (select * from public.credit_scheduled_tasks where enabled) as t
        full join cron.job as j on j.jobname = 'atomic-credits:' || t.name
          and j.schedule = t.schedule and j.active
      where j.jobname is distinct from ${NEIGHBOUR}
      group by 1 having count(*) <> 1 or bool_or(t.name is null or j.jobid is null)`;
    if (wrong.length > 0) problems.push(`${when}: ${JSON.stringify(wrong)}`);
  };
  await compare("after the migrations");
  await sql`update public.credit_scheduled_tasks set schedule = '11 2 * * *' where name = 'reconcile'`;
  await sql`select public.apply_schedule()`;
  await sql`select public.apply_schedule()`;
  await compare("after a changed schedule, applied again");
  await sql`update public.credit_scheduled_tasks set enabled = false where name = 'reconcile'`;
  await compare("after a task was turned off");
  await sql`update public.credit_scheduled_tasks set enabled = true where name = 'reconcile'`;
  await compare("after it was turned on again");
  const failing = await sql`
    select check_name, detail from public.verify_deployment() where not ok`;
  if (failing.length > 0) {
    problems.push(`verify_deployment: ${JSON.stringify(failing)}`);
  }
  return problems;
}

async function refundsWhatIsOverdue(sql: Sql): Promise<string[]> {
  await sql`select public.grant_credits(${ACCOUNT}, 500)`;
  await sql`select public.atomic_charge_credits(${ACCOUNT}, 'standard-image', '{"prompt": "a"}')`;
  await sql`update public.generation_jobs set deadline_at = now() where account_id = ${ACCOUNT}`;
  return await waitFor(sql, "a refund", async () => {
    const refunded = await sql`
      select from public.generation_jobs as j, public.credit_task_runs as r
      where j.account_id = ${ACCOUNT} and j.status = 'expired' and j.refunded = j.cost
        and r.task = 'sweep-overdue-jobs' and r.ok`;
    return refunded.length > 0;
  });
}

/** Runs that are old by now. */
interface History {
  readonly ours: readonly string[];
  readonly others: readonly string[];
  readonly problems: readonly string[];
}

/** Ages what has run so far, and lets pg_cron run the retention from the next minute on. */
async function makeHistory(sql: Sql): Promise<History> {
  const problems = await waitFor(sql, "a run of each job", async () => {
    const ran = await sql`
      select distinct j.jobname from cron.job_run_details as d join cron.job as j using (jobid)
      where j.jobname = any (${[...OURS, NEIGHBOUR]}) and ${
      sql.unsafe(HAS_ENDED)
    }`;
    return ran.length === OURS.length + 1;
  });
  const aged = await sql<{ runid: string; jobname: string }[]>`
    update cron.job_run_details as d set end_time = now() - interval '8 days' from cron.job as j
    where j.jobid = d.jobid and ${
    sql.unsafe(HAS_ENDED)
  } returning d.runid, j.jobname`;
  await sql`update public.credit_scheduled_tasks set schedule = '* * * * *' where name = 'retention'`;
  const runsOf = (isNeighbour: boolean) =>
    aged.filter(({ jobname }) => (jobname === NEIGHBOUR) === isNeighbour)
      .map(({ runid }) => runid);
  return { ours: runsOf(false), others: runsOf(true), problems };
}

/** The retention, run by pg_cron, must take away what pg_cron keeps of our runs, once it is old, and nothing of others. */
async function prunesItsHistory(
  sql: Sql,
  { ours, others }: History,
): Promise<string[]> {
  const countLeft = async (runs: readonly string[]) => {
    const left = await sql`
      select from cron.job_run_details where runid = any (${
      sql.array([...runs], 20)
    })`;
    return left.length;
  };
  const problems = await waitFor(
    sql,
    "the old runs to go",
    async () => await countLeft(ours) === 0,
  );
  if (await countLeft(others) !== others.length) {
    problems.push("old runs of a neighbour's job went as well");
  }
  return problems;
}

/** Resolves to nothing once `happened` does, or to what was waited for and what pg_cron says. */
async function waitFor(
  sql: Sql,
  what: string,
  happened: () => Promise<boolean>,
): Promise<string[]> {
  const giveUpAt = Date.now() + RUN_SECONDS * 1000;
  while (Date.now() < giveUpAt) {
    if (await happened()) return [];
    await sleep(500);
  }
  const runs =
    await sql`select command, status, return_message, end_time from cron.job_run_details`;
  return [
    `waited ${RUN_SECONDS} s for ${what}; pg_cron says ${JSON.stringify(runs)}`,
  ];
}
