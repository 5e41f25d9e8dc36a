import type { Sql } from "postgres";
import { operationsPerSecond } from "../pgbench.ts";
import type { Family } from "../scenario.ts";
import { charge, draw, OUTPUT } from "./scripts.ts";

const database = "storage";
const ACCOUNTS = 1000;

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

/** What a charge that was settled leaves on disk. */
export const storage: Family = {
  name: "storage",
  probes: [{
    name: "bytes-a-charge",
    figures: async (lab) => {
      const sql = lab.sql(database);
      const before = await sizes(sql);
      await operationsPerSecond({
        database,
        script: `${draw(1, ACCOUNTS)}${charge("job_id as job")} \\gset
select code from public.settle_generation(:job::uuid, '${OUTPUT}');`,
      }, {
        url: lab.url(database),
        folder: lab.folder,
        seconds: lab.short ? 6 : 30,
      });
      await sql`vacuum public.credit_ledger, public.generation_jobs`;
      const after = await sizes(sql);
      const each = (what: "kept" | "logged") =>
        (after[what] - before[what]) / (after.charges - before.charges);
      return [
        {
          name: "charge and settle, kept",
          value: each("kept"),
          unit: "bytes",
          bar: { atMost: 600 },
        },
        {
          name: "charge and settle, write-ahead log",
          value: each("logged"),
          unit: "bytes",
        },
      ];
    },
  }],
  prepare: async (lab) => {
    const sql = await lab.create(database);
    await sql.unsafe(
      `call floor.open_accounts(1, ${ACCOUNTS}, 'bench', '{1000000000}')`,
    );
    await sql.unsafe("vacuum analyze");
  },
};
