import { setTimeout as sleep } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { singleCheck, type StepOutcome } from "./step.ts";

const ACCOUNT = "00000000-0000-4000-8000-0000000000c1";
// pg_cron runs at the beginning of a minute.
const RUN_SECONDS = 100;

/**
 * pg_cron itself must have every task, follow each change without a duplicate, and
 * refund an overdue job.
 *
 * @param databaseUrl a server with pg_cron and the migrations
 */
export async function checkCron(databaseUrl: string): Promise<StepOutcome> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const problems = [
      ...await followsTheTable(sql),
      ...await refundsWhatIsOverdue(sql),
    ];
    return singleCheck(problems.length === 0, problems.join("\n"));
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function followsTheTable(sql: Sql): Promise<string[]> {
  const problems: string[] = [];
  const compare = async (when: string) => {
    const wrong = await sql`
      select coalesce(t.name, j.jobname) as name, count(*) from
        (select * from public.scheduled_tasks where enabled) as t
        full join cron.job as j on j.jobname = 'atomic-credits:' || t.name
          and j.schedule = t.schedule and j.active
      group by 1 having count(*) <> 1 or bool_or(t.name is null or j.jobid is null)`;
    if (wrong.length > 0) problems.push(`${when}: ${JSON.stringify(wrong)}`);
  };
  await compare("after the migrations");
  await sql`update public.scheduled_tasks set schedule = '11 2 * * *' where name = 'reconcile'`;
  await sql`select public.apply_schedule()`;
  await sql`select public.apply_schedule()`;
  await compare("after a changed schedule, applied again");
  await sql`update public.scheduled_tasks set enabled = false where name = 'reconcile'`;
  await compare("after a task was turned off");
  await sql`update public.scheduled_tasks set enabled = true where name = 'reconcile'`;
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
  const giveUpAt = Date.now() + RUN_SECONDS * 1000;
  while (Date.now() < giveUpAt) {
    const [refunded] = await sql`
      select from public.generation_jobs as j, public.task_runs as r
      where j.account_id = ${ACCOUNT} and j.status = 'expired' and j.refunded = j.cost
        and r.task = 'sweep-overdue-jobs' and r.ok`;
    if (refunded) return [];
    await sleep(500);
  }
  const runs =
    await sql`select command, status, return_message from cron.job_run_details`;
  return [
    `no refund within ${RUN_SECONDS} s; pg_cron says ${JSON.stringify(runs)}`,
  ];
}
