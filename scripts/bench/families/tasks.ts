import type { Lab } from "../lab.ts";
import type { Comparison, Family, Task } from "../scenario.ts";

/** How many rows are due: a tenth of them an account. */
const DUE = { short: 2000, long: 100_000 };
/** And for a sweep, which goes on for ten seconds at most. */
const DUE_SWEEP = 2000;
const EACH = 10;
const BOOKS = [
  "credit_accounts",
  "credit_grants",
  "credit_ledger",
  "generation_jobs",
  "credit_events",
];

/** A task on its own database, against its bare writes there. */
function task(name: string, call: string): Comparison {
  const run = (schema: string, sql: string): Task => ({
    database: name,
    sql: `select 1 / (${sql} = (select count(*) from floor.due))::integer`,
    undone: true,
    before: BOOKS.map((book) => `vacuum ${schema}.${book}`),
  });
  return {
    name,
    against: "the same rows written and hashed",
    bar: { atMost: 2 },
    floor: run("floor", `floor.${name}()`),
    subject: run("public", call),
  };
}

/** Makes a database for a task. */
async function prepare(
  lab: Lab,
  database: string,
  statements: string[],
): Promise<void> {
  lab.progress(`  ${database} …`);
  const sql = await lab.create(database);
  for (const statement of statements) await sql.unsafe(statement);
  await sql.unsafe(`
    insert into floor.due select number, floor.account(number::integer)
    from generate_series(1, ${due(lab, database)}) as number`);
  await sql.unsafe("call floor.copy_books()");
  await sql.unsafe("vacuum analyze");
}

function due({ short }: Lab, database: string): number {
  if (database === "sweep") return DUE_SWEEP;
  return short ? DUE.short : DUE.long;
}

/** Scheduled tasks with much to do: jobs to sweep, grants to expire, plans to refill. */
export const tasks: Family = {
  name: "tasks",
  comparisons: [
    task("sweep", "public.sweep_overdue_jobs(100000)"),
    task("expire", "public.expire_grants(100000)"),
    task("refill", "public.refill_plans(100000)"),
  ],
  prepare: async (lab) => {
    const accounts = (database: string) => due(lab, database) / EACH;
    await prepare(lab, "sweep", [
      `call floor.open_accounts(1, ${accounts("sweep")}, 'bench', '{1000000}')`,
      `call floor.grow(${EACH})`,
      "update public.generation_jobs set status = 'pending', output = null, actual_cost = null, ended_at = null",
    ]);
    await prepare(lab, "expire", [
      `call floor.open_accounts(1, ${
        accounts("expire")
      }, 'bench', array_fill(1000::bigint, array[${EACH}]))`,
      "update public.credit_grants set expires_at = now()",
    ]);
    await prepare(lab, "refill", [
      `call floor.open_accounts(1, ${due(lab, "refill")}, 'bench', '{}')`,
      "update public.credit_plans set monthly_credits = 1000 where name = 'bench'",
    ]);
  },
};
