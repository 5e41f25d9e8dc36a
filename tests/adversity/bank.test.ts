import { randomUUID } from "node:crypto";
import postgres, { type Sql } from "postgres";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  startTestDatabase,
  type TestDatabase,
} from "../../scripts/test/database.ts";
import { chance, recordAttacking, rounds, seed } from "../support/adversity.ts";
import type { Tally } from "../support/adversity.ts";
import { startLossyProxy } from "../support/adversity_proxy.ts";
import { type Bank, connect, openBank } from "../support/bank.ts";
import { act, repeatUnanswered } from "../support/bank_clients.ts";
import { charge, grant, transfer } from "../support/bank_requests.ts";
import {
  brokenAccounts,
  inspect,
  missing,
  sweepAll,
} from "../support/inspection.ts";
import { hasPgBouncer, startPgBouncer } from "../support/pgbouncer.ts";

const CLIENTS = 8;
const SECONDS = rounds(3, 30, 15);

/** Its own: tens of thousands of entries would make the shared one slow for every other file. */
let database: TestDatabase;
beforeAll(async () => {
  // The bank does in a minute what takes a project weeks: so does the upkeep, or plans stay those of empty tables.
  const settings = { autovacuum_naptime: "1s" };
  database = await startTestDatabase({ migrated: true, settings });
});
afterAll(() => database.stop());

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A connection that ends with the test. */
function observer(): Sql {
  const sql = postgres(database.url, { max: 2 });
  cleanUps.push(() => sql.end({ timeout: 5 }));
  return sql;
}

const direct = () => connect(database.url);
const undo = new Error("nothing of this stays");

/**
 * Lets clients work for the time that is set, while an inspector reads one snapshot after the other.
 *
 * @returns how many acts got no answer
 */
async function work(
  tally: Tally,
  bank: Bank,
  connectOne: () => Sql,
  inspector: Sql,
): Promise<number> {
  const end = Date.now() + SECONDS * 1000;
  const wrong: unknown[] = [];
  let [inspections, interruptions] = [0, 0];
  tally.rounds = 0;
  const until = async (turn: () => Promise<unknown>) => {
    while (Date.now() < end) await turn();
  };
  const client = async (_: unknown, number: number) => {
    let sql = connectOne();
    const random = chance(number);
    await until(async () => {
      tally.rounds++;
      if (await act(sql, bank, random)) return;
      interruptions++;
      await sql.end({ timeout: 0 });
      sql = connectOne();
    });
    await sql.end({ timeout: 5 });
  };
  await Promise.all([
    ...Array.from({ length: CLIENTS }, client),
    until(async () => {
      wrong.push(...await inspect(inspector, bank));
      inspections++;
    }),
  ]);
  tally.lost += wrong.length + bank.surprises.length;
  expect(bank.surprises).toEqual([]);
  expect(wrong).toEqual([]);
  expect(inspections).toBeGreaterThan(1);
  return interruptions;
}

/** What was promised is there, every job ends, and the books are right. */
async function close(tally: Tally, bank: Bank, sql: Sql): Promise<void> {
  const lost = await missing(sql, bank);
  const open = await sweepAll(sql, bank);
  const left = await inspect(sql, bank);
  tally.lost += lost.length + open + left.length + bank.surprises.length;
  expect({ lost, open, left, surprises: bank.surprises })
    .toEqual({ lost: [], open: 0, left: [], surprises: [] });
  tally.survived = tally.rounds;
}

/** An attack whose rounds are what the clients did. */
const working = (
  attack: string,
  make: (tally: Tally) => Promise<unknown>,
) => recordAttacking({ attack, unit: "operations", rounds: 1 }, make);

describe(
  `clients that do everything at random (FUZZ_SEED=${seed}) lose nothing`,
  {
    timeout: SECONDS * 2_000 + 60_000,
  },
  () => {
    test.each([["a few hot accounts", 2], ["many accounts", 60]])(
      "on %s",
      (name, size) =>
        working(`${CLIENTS} clients on ${name}`, async (tally) => {
          const sql = observer();
          const bank = await openBank(sql, size);
          const interruptions = await work(tally, bank, direct, sql);
          expect(interruptions).toBe(0);
          await close(tally, bank, sql);
        }),
    );

    test.skipIf(!hasPgBouncer())(
      "through pgbouncer in transaction mode (apt-get install pgbouncer)",
      () =>
        working("the same through pgbouncer", async (tally) => {
          const pooler = await startPgBouncer(database.url, CLIENTS / 2);
          cleanUps.push(pooler.stop);
          const sql = observer();
          const bank = await openBank(sql, 5);
          const pooled = () => connect(pooler.url, { prepare: false });
          expect(await work(tally, bank, pooled, sql)).toBe(0);
          await close(tally, bank, sql);
        }),
    );

    test("while their connections are cut", () =>
      working("the same while connections are cut", async (tally) => {
        const sql = observer();
        const bank = await openBank(sql, 5);
        let cuts = 0;
        const cutter = setInterval(async () => {
          const cut = await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'bank' order by random() limit 1`;
          cuts += cut.length;
          tally.attack = `the same with ${cuts} connections cut`;
        }, 50);
        await work(tally, bank, direct, sql).finally(() =>
          clearInterval(cutter)
        );
        await repeatUnanswered(sql, bank);
        expect(cuts).toBeGreaterThan(SECONDS);
        await close(tally, bank, sql);
      }));

    test("while answers are lost after the commit", () =>
      working("the same while answers are lost", async (tally) => {
        const { next } = chance(CLIENTS);
        const proxy = await startLossyProxy(
          database.url,
          () => next() < 0.1,
        );
        cleanUps.push(proxy.stop);
        const sql = observer();
        const bank = await openBank(sql, 5);
        const lossy = () => connect(proxy.url);
        const interruptions = await work(tally, bank, lossy, sql);
        tally.attack =
          `the same with ${proxy.lost()} answers lost after the commit`;
        expect(interruptions).toBe(proxy.lost());
        const { charges } = await repeatUnanswered(sql, bank);
        expect(charges.replayed).toBeGreaterThan(0);
        await close(tally, bank, sql);
      }));
  },
);

test("a charge, a grant and a transfer whose answers are lost are there once when they are asked for again", async () => {
  const proxy = await startLossyProxy(database.url, () => true);
  cleanUps.push(proxy.stop);
  const sql = observer();
  const bank = await openBank(sql, 5);
  for (const chosen of [charge, grant, transfer]) {
    const client = connect(proxy.url);
    expect(await act(client, bank, chance(0), chosen)).toBe(false);
    await client.end({ timeout: 0 });
  }
  const booked = { done: 0, replayed: 1, refused: 0 };
  expect(await repeatUnanswered(sql, bank))
    .toEqual({ charges: booked, grants: booked, transfers: booked });
  expect(await missing(sql, bank)).toEqual([]);
  expect(await inspect(sql, bank)).toEqual([]);
});

describe("the inspector finds", () => {
  test("an account that has lost its ledger, and one that is gone", async () => {
    const sql = observer();
    const bank = await openBank(sql, 2);
    const [emptied] = bank.accounts;
    const gone = randomUUID();
    await sql.begin(async (tx) => {
      await tx`alter table public.credit_ledger disable rule credit_ledger_no_delete`;
      await tx`alter table public.credit_ledger disable trigger user`;
      await tx`delete from public.credit_ledger where account_id = ${emptied!}`;
      const found = await brokenAccounts(tx, [...bank.accounts, gone]);
      expect(found.map(({ id }) => id).sort()).toEqual([emptied, gone].sort());
      throw undo;
    }).catch((error) => expect(error).toBe(undo));
  });

  test("what is not there, refused and there, or otherwise than was said", async () => {
    const sql = observer();
    const bank = await openBank(sql, 2);
    for (const chosen of [charge, grant, transfer]) {
      expect(await act(sql, bank, chance(0), chosen)).toBe(true);
    }
    expect(await missing(sql, bank)).toEqual([]);
    const [charged, granted, moved] = bank.requests;
    const [job] = bank.jobs;
    const broken: Bank = {
      ...bank,
      requests: [
        { ...charged!, credits: charged!.credits + 3 },
        { ...granted!, key: randomUUID() },
        { ...moved!, outcome: "refused" },
      ],
      ends: new Map([
        [job!, { status: "failed", cost: 3, refunded: 3, ended: true }],
      ]),
    };
    expect(await missing(sql, broken)).toHaveLength(4);
  });
});
