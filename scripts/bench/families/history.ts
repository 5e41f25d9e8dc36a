import type { Sql } from "postgres";
import type { Lab } from "../lab.ts";
import type { Comparison, Family, Load, Task } from "../scenario.ts";
import { peakMemory } from "../memory.ts";
import { charge, draw, END_JOBS } from "./scripts.ts";

const ACCOUNTS = { short: 1000, long: 10_000 };
/** Entries an account: 10 k, 1 M and 10 M in all; in the short form 1 k, 20 k and 50 k. */
const ENTRIES = {
  history_10k: { short: 1, long: 1 },
  history_1m: { short: 20, long: 100 },
  history_10m: { short: 50, long: 1000 },
};
type Database = keyof typeof ENTRIES;

/** How many entries more each account gets at a time. */
const BLOCK = 50;
const INCREMENTAL = "select public.reconcile_credit_ledger()";
const DEEP = "select public.reconcile_credit_ledger(true)";

function chargeOn(database: Database): Load {
  return {
    database,
    script: `${draw(1, `${ACCOUNTS.short} * :size`)}${charge()};`,
    after: END_JOBS,
  };
}

/** Reconciles one new entry of each account: 10,000 in the long form. */
function incremental(database: Database): Task {
  return { database, sql: INCREMENTAL, before: ["call floor.grow(1)"] };
}

function incrementalBesideDeep(name: string, database: Database): Comparison {
  return {
    name,
    against: "a deep one",
    bar: { atMost: 0.05 },
    longOnly: true,
    floor: { database, sql: DEEP },
    subject: incremental(database),
  };
}

const comparisons: Comparison[] = [
  {
    name: "charge-1m-entries",
    against: "charge at 10 k entries",
    bar: { atLeast: 0.95 },
    floor: chargeOn("history_10k"),
    subject: chargeOn("history_1m"),
    longOnly: true,
  },
  {
    name: "charge-10m-entries",
    against: "charge at 10 k entries",
    bar: { atLeast: 0.95 },
    floor: chargeOn("history_10k"),
    subject: chargeOn("history_10m"),
  },
  {
    name: "reconcile-10m-entries",
    against: "the same 10,000 new entries at 1 M entries",
    bar: { atMost: 1.3 },
    floor: incremental("history_1m"),
    subject: incremental("history_10m"),
  },
  {
    name: "reconcile-deep",
    against: "every row read once, as many SHA-256",
    bar: { atMost: 2 },
    floor: { database: "history_1m", sql: "select floor.deep_check()" },
    subject: { database: "history_1m", sql: DEEP },
  },
  {
    name: "chain-check",
    against: "as many SHA-256 over the same entries",
    bar: { atMost: 2 },
    floor: { database: "history_1m", sql: "select floor.chain_check()" },
    subject: {
      database: "history_1m",
      sql: "select count(*) from public.credit_ledger_chain_breaks",
    },
  },
  incrementalBesideDeep("reconcile-incremental-1m", "history_1m"),
  incrementalBesideDeep("reconcile-incremental-10m", "history_10m"),
];

/** Makes a database with a history, and notes it as verified. */
async function prepare(database: Database, lab: Lab): Promise<void> {
  const form = lab.short ? "short" : "long";
  const sql = await lab.create(database);
  await sql.unsafe(
    `call floor.open_accounts(1, ${ACCOUNTS[form]}, 'bench', '{1000000000}')`,
  );
  const charges = ENTRIES[database][form] - 1;
  for (let done = 0; done < charges; done += BLOCK) {
    lab.progress(`  ${database}: ${done} of ${charges} charges an account …`);
    await sql.unsafe(`call floor.grow(${Math.min(BLOCK, charges - done)})`);
    await sql.unsafe("analyze");
  }
  await sql.unsafe(`
    insert into public.credit_ledger_checkpoints (account_id, seq, hash, balance)
    select id, last_seq, last_hash, balance from public.credit_accounts`);
  await sql.unsafe("vacuum analyze");
}

/** @throws where the history is not what charging would have left */
async function requireSound(sql: Sql): Promise<void> {
  const [run] = await sql.unsafe(
    `select (public.reconcile_credit_ledger(true)).discrepancies`,
  );
  if (run?.discrepancies === "0") return;
  throw new Error(
    `scripts/bench/history.sql writes a history with ${run?.discrepancies} discrepancies: it must follow the migrations.`,
  );
}

/** What a long history costs: charges on it, and reconciling it. */
export const history: Family = {
  name: "history",
  comparisons,
  probes: [{
    name: "reconcile-deep-memory",
    longOnly: true,
    figures: async (lab) => {
      const [small, large] = [
        await peakMemory(DEEP, lab.sql("history_10k")),
        await peakMemory(DEEP, lab.sql("history_1m")),
      ];
      if (!small || !large) return [];
      return [
        { name: "deep reconcile, memory", value: large, unit: "MiB" },
        {
          name: "deep reconcile, memory",
          value: large / small,
          unit: "× that at 10 k entries",
          bar: { atMost: 1.5 },
        },
      ];
    },
  }],
  prepare: async (lab) => {
    for (const database of Object.keys(ENTRIES) as Database[]) {
      await prepare(database, lab);
    }
    await requireSound(lab.sql("history_10k"));
  },
};
