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
}

/** A row of scheduled_tasks. */
interface Task {
  name: string;
  schedule: string;
}

const EACH_MINUTE = "* * * * *";

/**
 * What pg_cron and pg_net do on a hosted project: runs the tasks of scheduled_tasks when
 * they are due, as the table says at that minute, and delivers events where that is configured.
 * @returns how to stop it.
 */
export function startSchedule(
  { databaseUrl, url, keys, log }: ScheduleOptions,
): () => Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const runDue = async (minute: Date) => {
    const tasks = await sql<Task[]>`
      select name, schedule from public.scheduled_tasks where enabled order by name`;
    for (const { name } of tasks.filter((task) => isDue(task, minute))) {
      const [run] = await sql`select ok, detail from public.run_task(${name})`;
      if (!run?.ok) log(`${name}: ${run?.detail}`);
    }
  };
  const deliver = async () => {
    if (!process.env.WEBHOOK_URL && !process.env.ALERTS_SLACK_URL) return;
    await fetch(`${url}/functions/v1/deliver-events`, {
      method: "POST",
      headers: { apikey: keys.secret },
    });
  };
  const options = { protect: true, timezone: "UTC" };
  const cron = new Cron(EACH_MINUTE, options, async () => {
    const minute = new Date();
    minute.setUTCSeconds(0, 0);
    await runDue(minute).then(deliver)
      .catch((error) => log(`schedule: ${error.message}`));
  });
  return async () => {
    cron.stop();
    await sql.end({ timeout: 2 });
  };
}

/** Whether a task is due at the beginning of this minute. */
export function isDue({ schedule }: Task, minute: Date): boolean {
  return new Cron(schedule, { paused: true, timezone: "UTC" }).match(minute);
}
