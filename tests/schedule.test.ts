import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { isDue } from "../scripts/stack/schedule.ts";
import { sql } from "./support/database.ts";
import { stack } from "./support/stack.ts";

describe("the local scheduler", () => {
  test.each([
    ["each minute", "* * * * *", "10:00", "10:01", true],
    ["its minute", "7 * * * *", "10:06", "10:07", true],
    ["not twice", "7 * * * *", "10:07", "10:08", false],
    ["not before it", "7 * * * *", "10:05", "10:06", false],
    ["a step", "*/5 * * * *", "10:04", "10:05", true],
    ["between steps", "*/5 * * * *", "10:05", "10:09", false],
    ["an hour that is in UTC", "37 3 * * *", "03:36", "03:37", true],
    ["another hour", "37 3 * * *", "04:36", "04:37", false],
    ["this day of the week", "47 4 * * 2", "04:46", "04:47", true],
    ["another day of the week", "47 4 * * 0", "04:46", "04:47", false],
    ["a minute that a long run skipped", "7 * * * *", "10:05", "10:20", true],
    ["no minute at all", "* * * * *", "10:05", "10:05", false],
  ])("runs a task when it is due: %s", (_, schedule, after, until, due) => {
    // A Tuesday.
    const at = (time: string) => new Date(`2026-01-06T${time}:00Z`);
    expect(isDue({ name: "t", schedule }, at(after), at(until))).toBe(due);
  });
});

describe("what pg_cron executes", () => {
  test("may take as long as the task's max_age, whatever the role's timeout", async () => {
    const [job] = await sql<{ name: string; command: string }[]>`
      insert into public.scheduled_tasks (name, schedule, command, max_age, description)
      values ('slow', '0 0 1 1 *', 'select pg_sleep(0.4)', '1 hour', 'Takes its time.')
      returning name, credits.cron_command(scheduled_tasks) as command`;
    const session = postgres(stack.databaseUrl, {
      max: 1,
      connection: { statement_timeout: 200 },
    });
    try {
      await session.unsafe(job!.command);
      expect(
        await sql`select ok, detail from public.task_runs where task = 'slow'`,
      )
        .toEqual([{ ok: true, detail: null }]);
    } finally {
      await session.end();
      await sql`delete from public.scheduled_tasks where name = 'slow'`;
    }
  });
});
