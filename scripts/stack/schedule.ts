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
  /** How long a function may take to answer. */
  callMilliseconds?: number;
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
/** The most that one run of a task may take; pg_cron's may take longer, as no other task waits for it. */
const TASK_MILLISECONDS = 300_000;
const WALL_CLOCK: Clock = { looks: "* * * * *", now: () => new Date() };

/**
 * What pg_cron and pg_net do on a hosted project: runs the tasks of credit_scheduled_tasks when
 * they are due, as the table says at that minute, and calls the functions that have something to do.
 * A task that fails, or a function that does not answer, keeps no other from its turn.
 * @returns how to stop it.
 */
export function startSchedule(
  {
    databaseUrl,
    url,
    keys,
    log,
    clock = WALL_CLOCK,
    callMilliseconds = 50_000,
  }: ScheduleOptions,
): () => Promise<void> {
  const connection = { statement_timeout: TASK_MILLISECONDS };
  const sql = postgres(databaseUrl, { max: 1, connection, onnotice: () => {} });
  const started = floorToMinute(clock.now());
  /** The minute for which a task ran last, by its name. */
  const done = new Map<string, Date>();
  const runTask = async (name: string) => {
    const until = Date.now() + REPEATS_MILLISECONDS;
    let run;
    do {
      [run] = await sql<[{ ok: boolean; detail: string; goes_on: boolean }]>`
        select ok, detail, ok and done > 0 as goes_on from public.run_task(${name})`;
    } while (run.goes_on && Date.now() < until);
    if (!run.ok) log(`${name}: ${run.detail}`);
  };
  const runDue = async (minute: Date) => {
    const tasks = await sql<Task[]>`
      select name, schedule from public.credit_scheduled_tasks where enabled order by name`;
    for (const task of tasks) {
      await attempt(task.name, async () => {
        if (!isDue(task, done.get(task.name) ?? started, minute)) return;
        await runTask(task.name);
        done.set(task.name, minute);
      });
    }
  };
  const callFunction = async (name: string) => {
    const { ok, status, body } = await fetch(`${url}/functions/v1/${name}`, {
      method: "POST",
      headers: { apikey: keys.secret },
      signal: AbortSignal.timeout(callMilliseconds),
    });
    await body?.cancel();
    if (!ok) log(`${name}: the function answered ${status}`);
  };
  const callDue = async () => {
    const due = await sql<{ name: string }[]>`
      select name from public.function_calls_due() as name`;
    await Promise.all(
      due.filter(({ name }) => hasWork(name))
        .map(({ name }) => attempt(name, () => callFunction(name))),
    );
  };
  const attempt = (name: string, act: () => Promise<void>) =>
    act().catch((error) => log(`${name}: ${error.message}`));
  const options = { protect: true, timezone: "UTC" };
  const cron = new Cron(
    clock.looks,
    options,
    () =>
      attempt("schedule", async () => {
        await runDue(floorToMinute(clock.now()));
        await callDue();
      }),
  );
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
