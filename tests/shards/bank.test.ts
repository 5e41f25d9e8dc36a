import { setTimeout as delay } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  chance,
  recordAttacking,
  rounds,
  seed,
  type Tally,
} from "../support/adversity.ts";
import { arrangeBank, type Bank, connect, openBank } from "../support/bank.ts";
import { ACCOUNT_ACTS } from "../support/bank_acts.ts";
import { act, repeatUnanswered } from "../support/bank_clients.ts";
import { inspect, missing, sweepAll } from "../support/inspection.ts";
import { accountsOf, canRoute, lastShard, SHARDS, useFleet } from "./fleet.ts";

/** Some of them keep to accounts of shards that live. */
const CLIENTS = 8;
const STEADY_CLIENTS = 2;
const OPERATIONS = rounds(600, 8_000, 8_000);
const DOWN_MILLISECONDS = rounds(1_000, 5_000, 5_000);
const ACCOUNTS_PER_SHARD = 5;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe.skipIf(!canRoute)("a bank over four shards", {
  timeout: 300_000,
}, () => {
  const shared = useFleet({ alone: true });

  /** Through the router, as an app's server. */
  const client = () =>
    connect(shared.fleet.router, { prepare: false, role: "service_role" });

  /** The accounts of each shard, in the order of the shards. */
  const idsOfShards = async () => {
    const sets = await Promise.all(
      Array.from(
        { length: ACCOUNTS_PER_SHARD },
        () => accountsOf(shared.fleet),
      ),
    );
    return SHARDS.map((_, shard) => sets.map((ids) => ids[shard]!));
  };

  /** Prices and plans are the router's; each shard gets them a moment later. */
  const arrangeShards = async () => {
    await arrangeBank(shared.router);
    const [wanted] = await models(shared.router);
    for (const { url } of shared.fleet.shards) {
      const sql = observer(url);
      await vi.waitFor(async () => {
        expect(await models(sql)).toEqual([wanted]);
      }, { timeout: 10_000 });
    }
  };

  /** Lets all clients work until so much is done; the last shard dies in the middle. */
  const work = async (tally: Tally, bank: Bank, steady: Bank) => {
    const cut = { interruptions: 0, ofSteady: 0 };
    tally.rounds = 0;
    const outage = async () => {
      await vi.waitUntil(() => tally.rounds > OPERATIONS / 4, {
        timeout: 200_000,
      });
      await lastShard("stop");
      await delay(DOWN_MILLISECONDS);
      await lastShard("start");
    };
    const teller = async (_: unknown, number: number) => {
      const isSteady = number < STEADY_CLIENTS;
      const its = isSteady ? steady : bank;
      const sql = client();
      const random = chance(number);
      while (tally.rounds < OPERATIONS) {
        tally.rounds++;
        const chosen = its.jobs.length > 0
          ? random.any(ACCOUNT_ACTS)
          : ACCOUNT_ACTS[0];
        if (await act(sql, its, random, chosen)) continue;
        cut[isSteady ? "ofSteady" : "interruptions"]++;
      }
      await sql.end({ timeout: 5 });
    };
    await Promise.all([
      outage(),
      ...Array.from({ length: CLIENTS }, teller),
    ]);
    return cut;
  };

  const observer = (url: string): Sql => {
    const sql = postgres(url, { max: 2, onnotice: () => {} });
    cleanUps.push(() => sql.end({ timeout: 5 }));
    return sql;
  };

  test(
    `loses and doubles nothing while one shard is killed and down (FUZZ_SEED=${seed})`,
    () =>
      recordAttacking({
        attack: `${CLIENTS} clients on four shards, one killed and down`,
        unit: "operations",
        rounds: 1,
      }, async (tally) => {
        await arrangeShards();
        const shards = await idsOfShards();
        const dead = new Set(shards.at(-1));
        // The team's account is on the first shard.
        const [team, ...ids] = shards.flat() as [string, ...string[]];
        const bank = await openBank(client(), { ids, team });
        const living = bank.accounts.filter((id) => !dead.has(id));
        const steady: Bank = {
          ...bank,
          accounts: living,
          requests: [],
          jobs: [],
          ends: new Map(),
        };

        const { interruptions, ofSteady } = await work(tally, bank, steady);
        // Clients of the other shards notice nothing.
        expect(ofSteady).toBe(0);
        expect(interruptions).toBeGreaterThan(0);
        const unanswered = bank.requests.filter(({ outcome }) =>
          outcome === "unanswered"
        );
        expect(
          unanswered.filter(({ account, to }) =>
            !dead.has(account) && !dead.has(to ?? "")
          ),
        ).toEqual([]);

        const sql = client();
        await repeatUnanswered(sql, bank);
        await arrive(
          shared.router,
          shared.fleet.shards.map(({ url }) => observer(url)),
        );
        const broken = [...bank.surprises];
        for (
          const [number, { url, name, groups }] of shared.fleet.shards.entries()
        ) {
          const its = partOf([bank, steady], new Set(shards[number]), groups);
          const shard = observer(url);
          const lost = await missing(shard, its);
          const open = await sweepAll(shard, its);
          const left = await inspect(shard, its, { isShard: true });
          const [deep] = await shard`
            select discrepancies from public.reconcile_credit_ledger(true)`;
          tally.lost += lost.length + open + left.length;
          expect({ name, lost, open, left, deep: Number(deep!.discrepancies) })
            .toEqual({ name, lost: [], open: 0, left: [], deep: 0 });
        }
        expect(broken).toEqual([]);
        tally.survived = tally.rounds;
        await sql.end();
      }),
  );
});

function models(sql: Sql) {
  return sql`
    select count(*)::int as rates, (select count(*)::int from public.credit_plans where name like 'test-bank%') as plans
    from public.generation_model_rates where model = 'test-bank'`;
}

/** What was promised to the accounts of one shard. */
function partOf(
  banks: readonly Bank[],
  ids: ReadonlySet<string>,
  groups: readonly number[],
): Bank {
  const [first] = banks as readonly [Bank];
  // The first four digits of a job's id are its account's slot.
  const groupOf = (job: string) => parseInt(job.slice(3, 4), 16);
  return {
    ...first,
    accounts: first.accounts.filter((id) => ids.has(id)),
    requests: banks.flatMap(({ requests }) =>
      requests.filter(({ account }) => ids.has(account))
    ),
    ends: new Map(
      banks.flatMap(({ ends }) => [...ends])
        .filter(([job]) => groups.includes(groupOf(job))),
    ),
  };
}

/** Ends the transfers that broke off, and says that none was lost. */
async function arrive(router: Sql, shards: readonly Sql[]): Promise<void> {
  for (const sql of shards) {
    await sql`update public.credit_transfers_sent set next_attempt_at = now() where next_attempt_at is not null`;
  }
  await router`select credits_router.finish_transfers(1000)`;
  const [sums] = await router`
    select sum(in_flight)::int as in_flight, sum(moved)::int as moved,
      sum(moved + in_flight + arrived - received)::int as lost
    from public.credit_transfer_totals`;
  expect(sums).toEqual({ in_flight: 0, moved: 0, lost: 0 });
}
