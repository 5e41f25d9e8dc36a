import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isDue, startSchedule } from "../scripts/stack/schedule.ts";
import { sql } from "./support/database.ts";
import { listen } from "./support/loopback.ts";
import { type OwnStack, startOwnStack } from "./support/own_stack.ts";
import { PIXEL } from "./support/openai_server.ts";
import { stack } from "./support/stack.ts";

/** A task that has two parts to do, one at a time. */
async function addTaskInParts(sql: Sql): Promise<void> {
  await sql`
    insert into public.credit_scheduled_tasks (name, schedule, command, max_age, repeats, description)
    values ('in-parts', '* * * * *', $$
      with part as (
        update public.credit_scheduled_tasks set max_age = max_age - interval '1 minute'
        where name = 'in-parts' and max_age > interval '58 minutes' returning 1)
      select count(*) from part$$, '1 hour', true, 'Runs until it has nothing to do.')`;
}

/** What each run of it did. */
async function partsDone(sql: Sql): Promise<number[]> {
  const runs = await sql<{ done: number }[]>`
    select done::int from public.credit_task_runs where task = 'in-parts' order by id`;
  return runs.map(({ done }) => done);
}

describe("the local scheduler", () => {
  test.each([
    ["runs each minute", "* * * * *", "10:00", "10:01", true],
    ["runs at its minute", "7 * * * *", "10:06", "10:07", true],
    [
      "does not run once more a minute later",
      "7 * * * *",
      "10:07",
      "10:08",
      false,
    ],
    ["does not run before it", "7 * * * *", "10:05", "10:06", false],
    ["runs at a step", "*/5 * * * *", "10:04", "10:05", true],
    ["does not run between steps", "*/5 * * * *", "10:05", "10:09", false],
    ["runs at an hour that is in UTC", "37 3 * * *", "03:36", "03:37", true],
    ["does not run at another hour", "37 3 * * *", "04:36", "04:37", false],
    ["runs on its day of the week", "47 4 * * 2", "04:46", "04:47", true],
    ["does not run on another", "47 4 * * 0", "04:46", "04:47", false],
    [
      "runs for a minute that a long run skipped",
      "7 * * * *",
      "10:05",
      "10:20",
      true,
    ],
    [
      "does not run while no minute has passed",
      "* * * * *",
      "10:05",
      "10:05",
      false,
    ],
  ])("a task %s", (_, schedule, after, until, due) => {
    // A Tuesday.
    const at = (time: string) => new Date(`2026-01-06T${time}:00Z`);
    expect(isDue({ name: "t", schedule }, at(after), at(until))).toBe(due);
  });
});

describe("a running stack", () => {
  let own: OwnStack;
  let minute = 0;
  beforeAll(async () => {
    const start = Date.now();
    const now = () => new Date(start + minute * 60_000);
    own = await startOwnStack({ clock: { looks: "* * * * * *", now } });
  });
  afterAll(() => own?.stop());

  test("runs each enabled task of the table once a minute, and no other", async () => {
    const { sql } = own;
    const account = randomUUID();
    await sql`select public.grant_credits(${account}, 500)`;
    const [job] = await sql<{ job_id: string }[]>`
      select job_id from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a cat"}')`;
    await sql`update public.generation_jobs set deadline_at = now()`;
    await sql`
      insert into public.credit_scheduled_tasks (name, schedule, command, max_age, enabled, description)
      values ('of-a-test', '* * * * *', 'select 1', '1 hour', true, 'Runs.'),
        ('turned-off', '* * * * *', 'select 1', '1 hour', false, 'Does not run.')`;
    await addTaskInParts(sql);
    const state = async () => ({
      runs: [
        ...await sql`
          select task, ok from public.credit_task_runs where task in ('of-a-test', 'turned-off')`,
      ],
      parts: await partsDone(sql),
      swept: [
        ...await sql`
          select status, refunded = cost as refunded from public.generation_jobs where id = ${
          job!.job_id
        }`,
      ],
    });
    const run = { task: "of-a-test", ok: true };
    const swept = [{ status: "expired", refunded: true }];
    for (minute of [1, 2]) {
      const runs = Array.from({ length: minute }, () => run);
      const parts = minute === 1 ? [1, 1, 0] : [1, 1, 0, 0];
      await expect.poll(state, { timeout: 10_000, interval: 100 })
        .toEqual({ runs, parts, swept });
    }
  });
});

describe("the edge functions of a running stack", () => {
  let own: OwnStack;
  beforeAll(async () => {
    own = await startOwnStack({
      clock: { looks: "* * * * * *", now: () => new Date() },
    });
  });
  afterAll(() => own?.stop());

  test("are called while they have something to do: an output of long ago moves into Storage", async () => {
    const { sql } = own;
    const account = randomUUID();
    await sql`select public.grant_credits(${account}, 500)`;
    const [job] = await sql<{ job_id: string }[]>`
      select job_id from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a cat"}')`;
    const { job_id } = job!;
    const output = { outputs: [{ media_type: "image/png", data: PIXEL }] };
    await sql`
      update public.generation_jobs
      set status = 'succeeded', actual_cost = cost, ended_at = now(), output = ${
      sql.json(output)
    } where id = ${job_id}`;
    await sql`select public.find_outputs_to_move()`;
    const path = async () => {
      const [row] = await sql`
        select output #>> '{outputs,0,path}' as path from public.generation_jobs where id = ${job_id}`;
      return row!.path;
    };
    await expect.poll(path, { timeout: 20_000, interval: 200 })
      .toBe(`${account}/${job_id}/0.png`);
  });
});

describe("the schedule goes on", () => {
  let own: OwnStack;
  beforeAll(async () => {
    own = await startOwnStack();
  });
  afterAll(() => own?.stop());

  /** Runs a schedule that looks each second, minutes ahead of any other, until something is so. */
  async function whileScheduled(
    url: string,
    until: () => Promise<void>,
  ): Promise<string[]> {
    const lines: string[] = [];
    const begun = Date.now();
    const stop = startSchedule({
      databaseUrl: own.stack.database.url(),
      url,
      keys: own.stack.keys,
      callMilliseconds: 500,
      log: (line) => lines.push(line),
      // A second is a minute.
      clock: {
        looks: "* * * * * *",
        now: () => new Date(begun + (Date.now() - begun) * 60),
      },
    });
    await until().finally(stop);
    return lines;
  }

  /** How often the last task of the alphabet has run well. */
  const sweeps = async () => {
    const [row] = await own.sql`
      select count(*)::int as runs from public.credit_task_runs where task = 'sweep-overdue-jobs' and ok`;
    return row!.runs;
  };
  const sweepsAgain = async (times: number) => {
    const before = await sweeps();
    await expect.poll(sweeps, { timeout: 20_000, interval: 100 })
      .toBeGreaterThanOrEqual(before + times);
  };

  test("after a task that cannot even be run, whose turn comes again", async () => {
    await own.sql`
      insert into public.credit_scheduled_tasks (name, schedule, command, max_age, description)
      values ('a-broken-one', '* * * * *', 'do $$ begin assert false, ''broken''; end $$', '1 hour', 'Fails hard.')`;
    const lines = await whileScheduled(own.stack.url, () => sweepsAgain(2));
    expect(lines.filter((line) => line.startsWith("a-broken-one: ")).length)
      .toBeGreaterThan(1);
    await own
      .sql`delete from public.credit_scheduled_tasks where name = 'a-broken-one'`;
  });

  test("after its connection was lost in the middle of a task", async () => {
    await own.sql`
      insert into public.credit_scheduled_tasks (name, schedule, command, max_age, description)
      values ('a-lost-one', '* * * * *', 'select pg_terminate_backend(pg_backend_pid())', '1 hour', 'Ends its session.')`;
    await whileScheduled(own.stack.url, () => sweepsAgain(2));
    await own
      .sql`delete from public.credit_scheduled_tasks where name = 'a-lost-one'`;
  });

  test("after a function that does not answer, which it gives up", async () => {
    const calls: string[] = [];
    const silent = await listen(createServer(({ url }) => {
      calls.push(url!);
    }));
    await own.sql`
      insert into public.credit_events (type, account_id, payload) values ('balance.low', gen_random_uuid(), '{}')`;
    vi.stubEnv("WEBHOOK_URL", silent.origin);
    const lines = await whileScheduled(silent.origin, () => sweepsAgain(2));
    await silent.close();
    expect(calls.length).toBeGreaterThan(1);
    vi.unstubAllEnvs();
    expect(lines.join()).toMatch(/deliver-events: .*timeout/);
  });
});

describe("what pg_cron executes", () => {
  test("may take as long as the task's max_age, also where the role's timeout is shorter", async () => {
    const [job] = await sql<{ name: string; command: string }[]>`
      insert into public.credit_scheduled_tasks (name, schedule, command, max_age, description)
      values ('slow', '0 0 1 1 *', 'select pg_sleep(0.4)', '1 hour', 'Takes its time.')
      returning name, credits.cron_command(credit_scheduled_tasks) as command`;
    const session = postgres(stack.databaseUrl, {
      max: 1,
      connection: { statement_timeout: 200 },
    });
    try {
      await session.unsafe(job!.command);
      expect(
        await sql`select ok, detail from public.credit_task_runs where task = 'slow'`,
      )
        .toEqual([{ ok: true, detail: null }]);
    } finally {
      await session.end();
      await sql`delete from public.credit_scheduled_tasks where name = 'slow'`;
    }
  });

  test("runs a task that repeats until it has nothing to do, each time in a transaction of its own", async () => {
    await addTaskInParts(sql);
    try {
      const [task] = await sql<{ command: string }[]>`
        select credits.cron_command(t) as command from public.credit_scheduled_tasks as t where name = 'in-parts'`;
      await sql.unsafe(task!.command);
      expect(await partsDone(sql)).toEqual([1, 1, 0]);
      const [runs] = await sql`
        select count(distinct xmin::text)::int as transactions from public.credit_task_runs where task = 'in-parts'`;
      expect(runs).toEqual({ transactions: 3 });
    } finally {
      await sql`delete from public.credit_scheduled_tasks where name = 'in-parts'`;
      await sql`delete from public.credit_task_runs where task = 'in-parts'`;
    }
  });
});
