import postgres, { type Sql } from "postgres";
import { afterEach, describe, expect, test } from "vitest";
import { recordAttack, rounds } from "../support/adversity.ts";
import { act, type Bank, connect, openBank } from "../support/bank.ts";
import { repeatUnanswered } from "../support/bank.ts";
import { inspect, missing, sweepAll } from "../support/inspection.ts";
import { hasPgBouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { stack } from "../support/stack.ts";

const CLIENTS = 8;
const SECONDS = rounds(3, 30);

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A connection that ends with the test. */
function observer(): Sql {
  const sql = postgres(stack.databaseUrl, { max: 2 });
  cleanUps.push(() => sql.end({ timeout: 5 }));
  return sql;
}

interface Day {
  readonly acts: number;
  readonly inspections: number;
  readonly wrong: readonly unknown[];
}

/** Lets clients work for the time that is set, while an inspector reads one snapshot after the other. */
async function work(
  bank: Bank,
  connectOne: () => Sql,
  inspector: Sql,
): Promise<Day> {
  const end = Date.now() + SECONDS * 1000;
  const wrong: unknown[] = [];
  let acts = 0;
  let inspections = 0;
  const until = async (turn: () => Promise<unknown>) => {
    while (Date.now() < end) await turn();
  };
  const client = async () => {
    let sql = connectOne();
    await until(async () => {
      acts++;
      if (await act(sql, bank)) return;
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
  return { acts, inspections, wrong };
}

/** Nothing was wrong meanwhile, nothing is afterwards, and what was promised is there. */
async function close(
  attack: string,
  bank: Bank,
  { acts, inspections, wrong }: Day,
  sql: Sql,
): Promise<void> {
  const lost = await missing(sql, bank);
  const open = await sweepAll(sql, bank);
  const left = await inspect(sql, bank);
  recordAttack({
    ...{ attack, rounds: acts, unit: "operations" },
    survived: acts - wrong.length - left.length - bank.surprises.length,
    lost: lost.length + open,
  });
  expect(bank.surprises).toEqual([]);
  expect(wrong).toEqual([]);
  expect(inspections).toBeGreaterThan(1);
  expect(left).toEqual([]);
  expect({ lost, open }).toEqual({ lost: [], open: 0 });
}

describe("clients that do everything at random lose nothing", {
  timeout: SECONDS * 2_000 + 60_000,
}, () => {
  test.each([["a few hot accounts", 2], ["many accounts", 60]])(
    "on %s",
    async (name, size) => {
      const sql = observer();
      const bank = await openBank(sql, size);
      const day = await work(bank, () => connect(stack.databaseUrl), sql);
      await close(`${CLIENTS} clients on ${name}`, bank, day, sql);
    },
  );

  test.skipIf(!hasPgBouncer())(
    "through pgbouncer in transaction mode (apt-get install pgbouncer)",
    async () => {
      const pooler = await startPgBouncer(stack.databaseUrl, CLIENTS / 2);
      cleanUps.push(pooler.stop);
      const sql = observer();
      const bank = await openBank(sql, 5);
      const day = await work(bank, () => connect(pooler.url, false), sql);
      await close("the same through pgbouncer", bank, day, sql);
    },
  );

  test("while their connections are cut", async () => {
    const sql = observer();
    const bank = await openBank(sql, 5);
    let cuts = 0;
    const cutter = setInterval(async () => {
      const cut = await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'bank' order by random() limit 1`;
      cuts += cut.length;
    }, 50);
    const day = await work(bank, () => connect(stack.databaseUrl), sql).finally(
      () => clearInterval(cutter),
    );
    await repeatUnanswered(sql, bank);
    expect(cuts).toBeGreaterThan(SECONDS);
    await close(
      `the same with ${cuts} connections cut`,
      ...[bank, day, sql] as const,
    );
  });
});
