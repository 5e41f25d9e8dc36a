import type { Sql } from "postgres";
import { operationsPerSecond } from "../pgbench.ts";
import type { Lab } from "../lab.ts";
import type { Family, Figure } from "../scenario.ts";
import { charge, draw, OUTPUT } from "./scripts.ts";

const database = "storage";
const ACCOUNTS = 1000;
const TIMES = 3;

/** Bytes of ledger and jobs with their indexes, and of the write-ahead log so far; and how many charges. */
async function sizes(
  sql: Sql,
): Promise<Record<"kept" | "logged" | "charges", number>> {
  const [row] = await sql`
    select pg_total_relation_size('public.credit_ledger') + pg_total_relation_size('public.generation_jobs') as kept,
      pg_current_wal_lsn() - '0/0' as logged, (select count(*) from public.generation_jobs) as charges`;
  return {
    kept: Number(row?.kept),
    logged: Number(row?.logged),
    charges: Number(row?.charges),
  };
}

/** Charges and settles for a while, then vacuums, as autovacuum would. */
async function fill(lab: Lab): Promise<void> {
  await operationsPerSecond(
    {
      database,
      script: `${draw(1, ACCOUNTS)}${charge("job_id as job")} \\gset
select code from public.settle_generation(:job::uuid, '${OUTPUT}');`,
    },
    lab,
    lab.short ? 2 : 10,
  );
  await lab.sql(database)`
    vacuum public.credit_ledger, public.generation_jobs`;
}

async function bytesACharge(lab: Lab): Promise<Figure[]> {
  const sql = lab.sql(database);
  // Only from the second time on is there dead space to use again.
  await fill(lab);
  const before = await sizes(sql);
  for (let time = 1; time <= TIMES; time++) await fill(lab);
  const after = await sizes(sql);
  const each = (what: "kept" | "logged") =>
    (after[what] - before[what]) / (after.charges - before.charges);
  const name = "charge and settle";
  return [
    {
      name: `${name}: tables and indexes`,
      unit: "bytes",
      value: each("kept"),
      bar: { atMost: 700 },
    },
    {
      name: `${name}: write-ahead log`,
      unit: "bytes",
      value: each("logged"),
    },
  ];
}

/** What a charge that was settled leaves on disk. */
export const storage: Family = {
  name: "storage",
  probes: [{ name: "bytes-a-charge", figures: bytesACharge }],
  prepare: async (lab) => {
    const sql = await lab.create(database);
    await sql.unsafe(
      `call floor.open_accounts(1, ${ACCOUNTS}, 'bench', '{1000000000}')`,
    );
    await sql.unsafe("vacuum analyze");
  },
};
