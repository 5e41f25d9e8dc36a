import { setTimeout as delay } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type PostgresServer,
  startPostgres,
} from "../../scripts/stack/postgres.ts";
import {
  startTestDatabase,
  type TestDatabase,
} from "../../scripts/test/database.ts";
import { chance, recordAttacking, rounds, seed } from "../support/adversity.ts";
import { type Bank, connect, openBank } from "../support/bank.ts";
import { act, repeatUnanswered } from "../support/bank_clients.ts";
import { inspect, missing, sweepAll } from "../support/inspection.ts";
import { killTree } from "../support/stack_process.ts";

const KILLS = rounds(3, 24, 12);
const CLIENTS = 6;

let database: TestDatabase;
let server: PostgresServer;
let sql: Sql;

beforeAll(async () => {
  database = await startTestDatabase({ migrated: true });
  server = database.server;
  sql = postgres(database.url, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await server.stop();
  await database.stop();
});

/** Kills the server with all its processes, and starts it again on what is on the disk. */
async function killAndRestart(): Promise<void> {
  await killTree(server.pid);
  await server.ended;
  await sql.end({ timeout: 0 });
  server = await startPostgres({ home: database.home, port: server.port });
  sql = postgres(database.url, { max: 2, onnotice: () => {} });
}

/** Lets the clients work until the server is killed, and none stop earlier; resolves to how many acts were answered. */
async function workUntilKilled(bank: Bank, round: number): Promise<number> {
  const clients = Array.from({ length: CLIENTS }, () => connect(database.url));
  let [answered, stopped] = [0, 0];
  const working = clients.map(async (client, number) => {
    const random = chance(round * CLIENTS + number);
    while (await act(client, bank, random)) answered++;
    stopped++;
  });
  // At any point of any act: when the server dies is what a round is about.
  await delay(200 + chance(-round).next() * 800);
  const stoppedBefore = stopped;
  await killAndRestart();
  await Promise.all(working);
  await Promise.all(clients.map((client) => client.end({ timeout: 0 })));
  expect(stoppedBefore).toBe(0);
  return answered;
}

test(
  `Postgres killed under load (FUZZ_SEED=${seed}): what was acknowledged is there, the rest whole or not at all`,
  { timeout: KILLS * 20_000 },
  () =>
    recordAttacking(
      {
        attack: "kill -9 of Postgres under load",
        unit: "kills",
        rounds: KILLS,
      },
      async (tally) => {
        const bank = await openBank(sql, 6);
        let answered = 0;
        for (let round = 0; round < KILLS; round++) {
          answered += await workUntilKilled(bank, round);
          const wrong = [
            ...await inspect(sql, bank),
            ...await missing(sql, bank),
          ];
          await repeatUnanswered(sql, bank);
          wrong.push(...await missing(sql, bank), ...bank.surprises);
          tally.lost += wrong.length;
          expect(wrong).toEqual([]);
          tally.survived++;
        }
        const open = await sweepAll(sql, bank);
        const left = await inspect(sql, bank);
        tally.lost += left.length + open;
        expect({ left, open }).toEqual({ left: [], open: 0 });
        expect(answered).toBeGreaterThan(KILLS * CLIENTS);
      },
    ),
);
