import type { Sql } from "postgres";
import { earlierDatabase } from "../earlier.ts";
import type { Lab } from "../lab.ts";
import { median } from "../measure.ts";
import { type Call, processorTime } from "../processor_time.ts";
import type { Family, Figure } from "../scenario.ts";
import { END_JOBS, INPUT, OUTPUT } from "./scripts.ts";

const ACCOUNTS = 1000;
const WITHOUT_CREDITS = ACCOUNTS + 1;
/** Copies of the database in which a part of what a charge writes is missing. */
const DATABASES = {
  whole: "breakdown",
  unchecked: "breakdown_unchecked",
  unindexed: "breakdown_unindexed",
};
const CALLS = { short: 500, long: 2000 };
const ROUNDS = { short: 3, long: 7 };
const TABLES =
  "'{public.credit_accounts,public.credit_grants,public.credit_ledger,public.generation_jobs}'::regclass[]";

const anyAccount = `floor.account(1 + $1::integer % ${ACCOUNTS})`;

function charge(account = anyAccount, columns = "status"): string {
  return `select ${columns} from public.atomic_charge_credits(${account}, 'standard-image', '${INPUT}', 'k' || $1::integer, 'r' || $1::integer)`;
}

/** A call with the database that it runs on. */
interface Part extends Call {
  readonly database: string;
}

/** Calls whose processor time is compared. */
const PARTS: Record<string, Part> = {
  "the least SQL": {
    database: DATABASES.whole,
    sql: `select floor.charge(${anyAccount}, 500, 'k' || $1::integer)`,
  },
  "a charge": { database: DATABASES.whole, sql: charge() },
  "a charge, without the CHECKs": {
    database: DATABASES.unchecked,
    sql: charge(),
  },
  "a charge, without the indexes that it only writes": {
    database: DATABASES.unindexed,
    sql: charge(),
  },
  "a charge, 100 in a transaction": {
    database: DATABASES.whole,
    sql: charge(),
    together: 100,
  },
  "a charge with its settlement": {
    database: DATABASES.whole,
    sql: `select s.code from (${
      charge(anyAccount, "job_id")
    }) as c, public.settle_generation(c.job_id, '${OUTPUT}') as s`,
  },
  "a charge with its failure": {
    database: DATABASES.whole,
    sql: `select s.code from (${
      charge(anyAccount, "job_id")
    }) as c, public.fail_generation(c.job_id) as s`,
  },
  "a denial for want of credits": {
    database: DATABASES.whole,
    sql: charge(`floor.account(${WITHOUT_CREDITS})`),
  },
};

/** Those that are measured at an earlier commit too, where there is one. */
const SINCE = [
  "a charge",
  "a charge with its settlement",
  "a charge with its failure",
  "a denial for want of credits",
];

function partsOf({ against }: Lab): [string, Part][] {
  const parts = Object.entries(PARTS);
  if (against === undefined) return parts;
  const earlier = SINCE.map((name): [string, Part] => {
    const part = PARTS[name]!;
    const database = earlierDatabase(part.database);
    return [`${name} at ${against}`, { ...part, database }];
  });
  return [...parts, ...earlier];
}

/** The processor time of each part, in turns. */
async function times(lab: Lab): Promise<Figure[]> {
  const calls = lab.short ? CALLS.short : CALLS.long;
  const rounds = lab.short ? ROUNDS.short : ROUNDS.long;
  const parts = partsOf(lab);
  const measured = parts.map((): number[] => []);
  // The round before the first warms up: each connection compiles its functions.
  for (let round = 0; round <= rounds; round++) {
    lab.progress(`  processor time: round ${round} of ${rounds} …`);
    for (const [place, [, part]] of parts.entries()) {
      const first = (round * parts.length + place) * calls;
      const sql = lab.sql(part.database);
      const time = await processorTime(part, sql, first, calls);
      if (time === undefined) return [];
      // A charge counts its account's open jobs: as many in each part.
      for (const statement of [...END_JOBS, "vacuum"]) {
        await sql.unsafe(statement);
      }
      if (round > 0) measured[place]!.push(time);
    }
  }
  return parts.map(([name], place) => ({
    name: `processor time: ${name}`,
    value: median(measured[place]!),
    unit: "µs",
  }));
}

/** The time that functions have taken so far, without what they called. */
async function functionTimes(sql: Sql): Promise<Map<string, number>> {
  await sql`select pg_stat_force_next_flush()`;
  const rows = await sql`
    select schemaname || '.' || funcname as name, sum(self_time) as milliseconds from pg_stat_user_functions group by 1`;
  return new Map(rows.map(({ name, milliseconds }) => [name, milliseconds]));
}

/** How long each function takes in a charge, by track_functions, which itself takes a part. */
async function functions(lab: Lab): Promise<Figure[]> {
  const calls = lab.short ? CALLS.short : CALLS.long;
  const sql = lab.sql(DATABASES.whole);
  await sql`set track_functions = 'all'`;
  const run = (first: number) =>
    processorTime({ sql: charge() }, sql, first, calls);
  await run(1e8);
  const before = await functionTimes(sql);
  await run(2e8);
  const after = await functionTimes(sql);
  await sql`reset track_functions`;
  return [...after].map(([name, milliseconds]) => ({
    name: `in a charge: ${name}`,
    value: (milliseconds - (before.get(name) ?? 0)) * 1000 / calls,
    unit: "µs",
  })).filter(({ value }) => value > 0).sort((a, b) => b.value - a.value);
}

/** Opens the accounts of a database. */
async function open(sql: Sql): Promise<void> {
  await sql.unsafe(`
    call floor.open_accounts(1, ${ACCOUNTS}, 'bench', '{1000000000}')`);
  await sql.unsafe(`
    call floor.open_accounts(${WITHOUT_CREDITS}, ${WITHOUT_CREDITS}, 'bench', '{}')`);
  await sql.unsafe("vacuum analyze");
}

async function dropChecks(sql: Sql): Promise<void> {
  const checks = await sql.unsafe(`
    select conrelid::regclass as table, conname as name from pg_constraint
    where contype = 'c' and conrelid = any (${TABLES})`);
  for (const { table, name } of checks) {
    await sql.unsafe(`alter table ${table} drop constraint ${name}`);
  }
}

/** Drops those indexes that a charge never reads and that keep nothing unique. */
async function dropUnreadIndexes(sql: Sql): Promise<void> {
  const scans = async () => {
    await sql`select pg_stat_force_next_flush()`;
    return await sql.unsafe(`
      select indexrelid::regclass as name, idx_scan as scans from pg_stat_user_indexes natural join pg_index
      where not indisunique and indrelid = any (${TABLES}) order by 1`);
  };
  const before = await scans();
  await processorTime({ sql: charge() }, sql, 3e8, ACCOUNTS);
  const after = await scans();
  for (const [place, { name, scans }] of before.entries()) {
    if (after[place]?.scans === scans) await sql.unsafe(`drop index ${name}`);
  }
}

/** Where a charge's time goes, with one client. */
export const breakdown: Family = {
  name: "breakdown",
  probes: [
    { name: "breakdown-parts", figures: times, longOnly: true },
    { name: "breakdown-functions", figures: functions, longOnly: true },
  ],
  prepare: async (lab) => {
    const databases = Object.values(DATABASES);
    for (const database of databases) await open(await lab.create(database));
    if (lab.against) await open(await lab.createEarlier(DATABASES.whole));
    await dropChecks(lab.sql(DATABASES.unchecked));
    await dropUnreadIndexes(lab.sql(DATABASES.unindexed));
  },
};
