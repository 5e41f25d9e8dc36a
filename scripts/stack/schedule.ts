import { Cron } from "croner";
import postgres from "postgres";
import type { Keys } from "./keys.ts";

/** What the schedule runs on. */
export interface ScheduleOptions {
  databaseUrl: string;
  /** URL of the API. */
  url: string;
  keys: Keys;
  /** Told what went wrong. */
  log: (line: string) => void;
  clock?: Clock;
}

/** How a schedule tells the time. A test's runs ahead. */
export interface Clock {
  /** When to look for tasks that are due: a cron expression. */
  looks: string;
  now: () => Date;
}

/** A row of credit_scheduled_tasks. */
export interface Task {
  name: string;
  schedule: string;
}

/** How long a task that repeats is run again. */
const REPEATS_MILLISECONDS = 50_000;
const WALL_CLOCK: Clock = { looks: "* * * * *", now: () => new Date() };

/**
 * What pg_cron and pg_net do on a hosted project: runs the tasks of credit_scheduled_tasks when
 * they are due, as the table says at that minute, and calls the functions that have something to do.
 * @returns how to stop it.
 */
export function startSchedule(
  { databaseUrl, url, keys, log, clock = WALL_CLOCK }: ScheduleOptions,
): () => Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  let done = floorToMinute(clock.now());
  const runTask = async (name: string) => {
    const until = Date.now() + REPEATS_MILLISECONDS;
    let run;
    do {
      [run] = await sql<[{ ok: boolean; detail: string; goes_on: boolean }]>`
        select ok, detail, ok and done > 0 as goes_on from public.run_task(${name})`;
    } while (run.goes_on && Date.now() < until);
    return run;
  };
  const runDue = async (minute: Date) => {
    const tasks = await sql<Task[]>`
      select name, schedule from public.credit_scheduled_tasks where enabled order by name`;
    for (const { name } of tasks.filter((task) => isDue(task, done, minute))) {
      const run = await runTask(name);
      if (!run.ok) log(`${name}: ${run.detail}`);
    }
    done = minute;
  };
  const callFunction = async (name: string) => {
    const { ok, status, body } = await fetch(`${url}/functions/v1/${name}`, {
      method: "POST",
      headers: { apikey: keys.secret },
    });
    await body?.cancel();
    if (!ok) log(`${name}: the function answered ${status}`);
  };
  const callDue = async () => {
    const due = await sql<{ name: string }[]>`
      select name from public.function_calls_due() as name`;
    const calls = due.filter(({ name }) => hasWork(name)).map(({ name }) =>
      callFunction(name).catch((error) => log(`${name}: ${error.message}`))
    );
    await Promise.all(calls);
  };
  const options = { protect: true, timezone: "UTC" };
  const cron = new Cron(clock.looks, options, async () => {
    await runDue(floorToMinute(clock.now())).then(callDue)
      .catch((error) => log(`schedule: ${error.message}`));
  });
  return async () => {
    cron.stop();
    await sql.end({ timeout: 2 });
  };
}

/**
 * Whether a task became due after one minute and up to another: minutes that passed while
 * another task ran, or while the database was away, are made up for, once.
 */
export function isDue({ schedule }: Task, after: Date, until: Date): boolean {
  const next = new Cron(schedule, { paused: true, timezone: "UTC" })
    .nextRun(after);
  return next !== null && next <= until;
}

/** Events wait until there is somewhere to deliver them to. */
function hasWork(name: string): boolean {
  return name !== "deliver-events" ||
    Boolean(process.env.WEBHOOK_URL || process.env.ALERTS_SLACK_URL);
}

function floorToMinute(time: Date): Date {
  const minute = new Date(time);
  minute.setUTCSeconds(0, 0);
  return minute;
}
