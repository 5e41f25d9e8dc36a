import postgres, { type Sql } from "postgres";
import { onDatabase } from "../../shards/interface.ts";
import { hasPlProxy, startFleet, type TestFleet } from "../../test/fleet.ts";
import type { Lab } from "../lab.ts";
import { median } from "../measure.ts";
import { operationsPerSecond } from "../pgbench.ts";
import { processorMilliseconds } from "../processor_time.ts";
import type { Family, Figure, Load } from "../scenario.ts";
import { END_JOBS, INPUT } from "./scripts.ts";

const ACCOUNTS_PER_SHARD = 250;
const ROUNDS = { short: 3, long: 7 };
const SECONDS = { short: 3, long: 6 };
const REQUESTS = 1_000_000;
const OPEN_JOBS = 10_000;
const CALLS = { short: 400, long: 2000 };

let running: TestFleet | undefined;

/** A connection to the router, or to a shard, for which nothing is prepared: the router forbids it. */
function openSql(url: string): Sql {
  return postgres(url, { max: 1, prepare: false, onnotice: () => {} });
}

/** Numbers accounts on each database: those of a shard on it, all on the router; and fills them. */
async function openAccounts({ fleet }: TestFleet): Promise<void> {
  const router = openSql(fleet.router);
  await router`
    update public.credit_plans set rate_limit_requests = ${REQUESTS}, max_concurrent_jobs = ${OPEN_JOBS}`;
  const ids = await router<{ shard: string; id: string }[]>`
    select shard, id from (
      select credits_router.shard_of(id) as shard, id,
        row_number() over (partition by credits_router.shard_of(id)) as n
      from (select md5(n::text)::uuid as id from generate_series(1, 20000) as n) as made) as placed
    where n <= ${ACCOUNTS_PER_SHARD} order by n, shard`;
  // The shards' accounts in turn, so that the first so many are of all of them.
  await number(router, ids.map(({ id }) => id));
  await router.end();
  for (const { name, url } of fleet.shards) {
    const its = ids.filter(({ shard }) => shard === name).map(({ id }) => id);
    const sql = openSql(url);
    // Plans are the router's, and come to the shards a moment later.
    while (
      (await sql`select from public.credit_plans where max_concurrent_jobs = ${OPEN_JOBS}`)
        .length === 0
    ) {
      await sql`select pg_sleep(0.1)`;
    }
    await sql`
      select public.grant_credits(id, 1000000000) from unnest(${its}::uuid[]) as id`;
    await number(sql, its);
    await sql.end();
  }
}

async function number(sql: Sql, ids: readonly string[]): Promise<void> {
  await sql.unsafe(`
    create schema bench;
    create table bench.accounts (n integer primary key, id uuid not null);
    grant usage on schema bench to public;
    grant select on bench.accounts to public`);
  await sql`
    insert into bench.accounts select n, id from unnest(${ids as string[]}::uuid[]) with ordinality as given (id, n)`;
}

/** One charge of a random account, out of the first so many. */
function charge(accounts: number): string {
  return `\\set i random(1, ${accounts})
\\set k random(1, 9000000000000000)
select 1 / (status = 201)::integer from public.atomic_charge_credits(
  (select id from bench.accounts where n = :i), 'standard-image', '${INPUT}', 'k' || :k, 'r' || :k);`;
}

const all = ACCOUNTS_PER_SHARD * 4;

/** Microseconds that a charge takes a client that is alone, in turns: on its shard, and through the router. */
async function latency(lab: Lab, fleet: TestFleet["fleet"]): Promise<Figure[]> {
  const shard: Load = {
    database: fleet.shards[0]!.url,
    clients: 1,
    script: charge(ACCOUNTS_PER_SHARD),
  };
  const router: Load = {
    database: fleet.router,
    clients: 1,
    script: charge(all),
  };
  const [direct, routed] = await inTurns(lab, fleet, [shard, router]);
  const microseconds = (rate: number) => 1e6 / rate;
  return [
    {
      name: "a charge, one client, on its shard",
      unit: "µs",
      value: microseconds(direct!),
    },
    {
      name: "a charge, one client, more through the router",
      unit: "µs",
      value: microseconds(routed!) - microseconds(direct!),
      bar: { atMost: 700 },
    },
  ];
}

/** How many charges a second 8 clients make through the router, by what they make on one shard. */
async function throughput(
  lab: Lab,
  fleet: TestFleet["fleet"],
): Promise<Figure[]> {
  const loads: Load[] = [
    { database: fleet.shards[0]!.url, script: charge(ACCOUNTS_PER_SHARD) },
    ...[1, 2, 4].map((shards) => ({
      database: fleet.router,
      script: charge(all).replace(
        "where n = :i",
        `where n = (:i - 1) / ${shards} * 4 + (:i - 1) % ${shards} + 1`,
      ).replace(
        `random(1, ${all})`,
        `random(1, ${ACCOUNTS_PER_SHARD * shards})`,
      ),
    })),
  ];
  const [direct, ...routed] = await inTurns(lab, fleet, loads);
  return routed.map((rate, i) => ({
    name: `8 clients through the router to ${
      [1, 2, 4][i]
    } of its shards, by one shard without it`,
    unit: "times",
    value: rate / direct!,
  }));
}

/** The median rate of each load, measured in turns, each without open jobs of the last. */
async function inTurns(
  lab: Lab,
  fleet: TestFleet["fleet"],
  loads: readonly Load[],
): Promise<number[]> {
  const rates: number[][] = loads.map(() => []);
  const rounds = lab.short ? ROUNDS.short : ROUNDS.long;
  const seconds = lab.short ? SECONDS.short : SECONDS.long;
  // pgbench takes the whole address in place of a name.
  const there: Lab = { ...lab, url: (address) => asService(address) };
  for (let round = 0; round < rounds; round++) {
    for (const [i, load] of loads.entries()) {
      rates[i]!.push(await operationsPerSecond(load, there, seconds));
      await Promise.all(
        fleet.shards.map(({ url }) =>
          onDatabase(url, (sql) => sql.unsafe(END_JOBS[0]!))
        ),
      );
    }
  }
  return rates.map(median);
}

/** As who may call the functions. */
function asService(address: string): string {
  return `${address}&options=-c%20role%3Dservice_role`;
}

/** Whose processor a charge takes, and how much: the router's, and its shard's. */
async function processor(
  { fleet }: TestFleet,
  lab: Lab,
): Promise<Figure[]> {
  const calls = lab.short ? CALLS.short : CALLS.long;
  // The last shard is alone on its server.
  const last = fleet.shards.at(-1)!;
  const router = openSql(fleet.router);
  const shard = openSql(last.url);
  const ids = await shard<{ id: string }[]>`select id from bench.accounts`;
  await router`set role service_role`;
  const run = async (sql: Sql, times: number) => {
    for (let call = 0; call < times; call++) {
      const { id } = ids[call % ids.length]!;
      await sql`select status from public.atomic_charge_credits(${id}, 'standard-image', ${INPUT}::jsonb, ${`p${Math.random()}`})`;
    }
  };
  await run(router, 50);
  await run(shard, 50);
  const [own] = await router`select pg_backend_pid() as pid`;
  const [direct] = await shard`select pg_backend_pid() as pid`;
  const [called] = await shard`
    select pid from pg_stat_activity
    where usename = ${fleet.user} and datname = current_database() and query like '%atomic_charge_credits%'
    order by state_change desc limit 1`;
  let shards = 0;
  const routers = await processorMilliseconds(own!.pid, async () => {
    shards = await processorMilliseconds(called!.pid, () =>
      run(router, calls)) ?? 0;
  });
  const alone = await processorMilliseconds(
    direct!.pid,
    () => run(shard, calls),
  );
  await router.end();
  await shard.end();
  const each = (milliseconds: number | undefined) =>
    (milliseconds ?? 0) * 1000 / calls;
  return [
    ["without a router, on the shard", alone],
    ["through the router, on the shard", shards],
    ["through the router, on the router", routers],
  ].map(([where, milliseconds]) => ({
    name: `processor of a charge ${where}`,
    unit: "µs",
    value: each(milliseconds as number | undefined),
  }));
}

/** What the router costs, and what a second, third and fourth database bring on one machine. */
export const shards: Family = {
  name: "shards",
  prepare: async (lab) => {
    if (!await hasPlProxy()) {
      throw new Error(
        "PL/Proxy is missing: apt-get install postgresql-15-plproxy",
      );
    }
    lab.progress("  a router and four shards …");
    running = await startFleet();
    await openAccounts(running);
  },
  probes: [{
    name: "through-the-router",
    figures: async (lab) => {
      const fleet = running!;
      try {
        return [
          ...await latency(lab, fleet.fleet),
          ...await throughput(lab, fleet.fleet),
          ...await processor(fleet, lab),
        ];
      } finally {
        await fleet.stop();
      }
    },
  }],
};
