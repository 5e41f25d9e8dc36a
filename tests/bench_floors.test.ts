// What scheduled tasks are measured against (scripts/bench/floor.sql): as many rows as they write, and no more.
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tasks } from "../scripts/bench/families/tasks.ts";
import { type Lab, openLab } from "../scripts/bench/lab.ts";
import type { Task } from "../scripts/bench/scenario.ts";

let lab: Lab;

beforeAll(async () => {
  lab = await openLab({
    project: process.cwd(),
    short: true,
    progress: () => {},
  });
  await tasks.prepare(lab);
}, 120_000);
afterAll(() => lab?.stop());

/** Rows that a task inserts and updates in the tables of one schema, which is undone. */
async function written(task: Task, schema: string, sql: Sql) {
  // Or the counters would also hold what was written before.
  await sql`select pg_stat_force_next_flush()`;
  await sql.unsafe("begin");
  await sql.unsafe(task.sql);
  const rows = await sql`
    select relname as table, n_tup_ins as inserted, n_tup_upd as updated from pg_stat_xact_user_tables
    where schemaname = ${schema} and relname ~ '^(credit_(accounts|events|grants|ledger)|generation_jobs)$' order by relname`;
  await sql.unsafe("rollback");
  return [...rows];
}

test.each(
  tasks.comparisons!.map((comparison) => [comparison.name, comparison]),
)(
  "%s and its floor write the same number of rows",
  async (name, { subject, floor }) => {
    const sql = lab.sql(name);
    const task = await written(subject as Task, "public", sql);
    expect(await written(floor as Task, "floor", sql)).toEqual(task);
  },
);
