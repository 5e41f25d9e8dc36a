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

/** What pg_cron does on a hosted project: a function of SQL and when it runs. */
const TASKS = {
  sweep_overdue_jobs: "* * * * *",
  expire_grants: "*/5 * * * *",
  refill_plans: "7 * * * *",
  announce_expiring_grants: "17 * * * *",
};
const DELIVERY = "* * * * *";

/**
 * Runs the scheduled tasks, and delivers events where a webhook is configured.
 * @returns how to stop it.
 */
export function startSchedule(
  { databaseUrl, url, keys, log }: ScheduleOptions,
): () => Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const run = (name: string, pattern: string, act: () => Promise<unknown>) =>
    new Cron(pattern, { protect: true }, async () => {
      await act().catch((error) => log(`${name}: ${error.message}`));
    });
  const crons = Object.entries(TASKS).map(([name, pattern]) =>
    run(name, pattern, () => sql`select ${sql("public." + name)}()`)
  );
  if (process.env.WEBHOOK_URL) {
    crons.push(
      run(
        "deliver-events",
        DELIVERY,
        () =>
          fetch(`${url}/functions/v1/deliver-events`, {
            method: "POST",
            headers: { apikey: keys.secret },
          }),
      ),
    );
  }
  return async () => {
    for (const cron of crons) cron.stop();
    await sql.end({ timeout: 2 });
  };
}
