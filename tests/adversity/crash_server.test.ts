import { setTimeout as delay } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pushMigrations } from "../../scripts/stack/migrate.ts";
import {
  type PostgresServer,
  startPostgres,
} from "../../scripts/stack/postgres.ts";
import {
  startTestDatabase,
  type TestDatabase,
} from "../../scripts/test/database.ts";
import { recordAttack, rounds } from "../support/adversity.ts";
import {
  act,
  type Bank,
  connect,
  openBank,
  repeatUnanswered,
} from "../support/bank.ts";
import { inspect, missing, sweepAll } from "../support/inspection.ts";
import { listDescendants } from "../support/stack_process.ts";

const KILLS = rounds(3, 24);
const CLIENTS = 6;

let database: TestDatabase;
let server: PostgresServer;
let sql: Sql;

beforeAll(async () => {
  database = await startTestDatabase();
  server = database.server;
  await pushMigrations(process.cwd(), database.url);
  sql = postgres(database.url, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await server.stop();
  await database.stop();
});

/** Kills the server with all its processes, and starts it again on what is on the disk. */
async function killAndRestart(): Promise<void> {
  const processes = [server.pid, ...listDescendants(server.pid)];
  for (const pid of processes) process.kill(pid, "SIGKILL");
  await server.ended;
  await sql.end({ timeout: 0 });
  server = await startPostgres({ home: database.home, port: server.port });
  sql = postgres(database.url, { max: 2, onnotice: () => {} });
}

/** Lets the clients work until the server is gone; resolves to how many acts were answered. */
async function workUntilKilled(bank: Bank): Promise<number> {
  const clients = Array.from({ length: CLIENTS }, () => connect(database.url));
  let answered = 0;
  const working = clients.map(async (client) => {
    while (await act(client, bank)) answered++;
  });
  // At any point of any act: when the server dies is what a round is about.
  await delay(200 + Math.random() * 800);
  await killAndRestart();
  await Promise.all(working);
  await Promise.all(clients.map((client) => client.end({ timeout: 0 })));
  return answered;
}

test(
  "Postgres killed under load: what was acknowledged is there, the rest whole or not at all",
  {
    timeout: KILLS * 20_000,
  },
  async () => {
    const bank = await openBank(sql, 6);
    let answered = 0;
    let survived = 0;
    const wrong: unknown[] = [];
    for (let round = 0; round < KILLS; round++) {
      answered += await workUntilKilled(bank);
      const found = [...await inspect(sql, bank), ...await missing(sql, bank)];
      await repeatUnanswered(sql, bank);
      found.push(...await missing(sql, bank));
      if (found.length === 0) survived++;
      wrong.push(...found);
    }
    const open = await sweepAll(sql, bank);
    const left = await inspect(sql, bank);
    recordAttack({
      ...{ attack: "kill -9 of Postgres under load", unit: "kills" },
      ...{ rounds: KILLS, survived, lost: wrong.length + left.length + open },
    });
    expect({ wrong, left, open }).toEqual({ wrong: [], left: [], open: 0 });
    expect(bank.surprises).toEqual([]);
    expect(answered).toBeGreaterThan(KILLS * CLIENTS);
  },
);
