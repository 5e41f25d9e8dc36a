import { readFile } from "node:fs/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeBundle } from "../scripts/deploy/bundle.ts";
import { readCatalog } from "./support/catalog.ts";
import {
  type DatabaseServer,
  type FreshDatabase,
  startDatabaseServer,
} from "./support/databases.ts";

const USER = "00000000-0000-4000-8000-0000000000c1";

let server: DatabaseServer;
let bundle: string;
let rollback: string;
beforeAll(async () => {
  server = await startDatabaseServer();
  bundle = await makeBundle(process.cwd());
  rollback = await readFile("scripts/rollback.sql", "utf8");
});
afterAll(() => server.stop());

/** A database with Atomic Credits and one grant, and a second connection to it. */
async function createUsed(): Promise<FreshDatabase & { other: Sql }> {
  const database = await server.create();
  await database.sql.unsafe(bundle);
  await database
    .sql`select public.grant_credits(${USER}, 5, p_external_ref => 'pay-1')`;
  return {
    ...database,
    other: postgres(database.url, { max: 1, onnotice: () => {} }),
  };
}

/** Resolves when a session waits for a lock on a table. */
async function someoneWaits(sql: Sql): Promise<void> {
  for (;;) {
    const waiting =
      await sql`select from pg_locks where not granted and locktype = 'relation' and database = (select oid from pg_database where datname = current_database())`;
    if (waiting.length > 0) return;
  }
}

/** Rolls back while a payment is being booked, which commits as soon as the rollback waits for it. */
async function rollBackDuringPayment(settings: string) {
  const { sql, other } = await createUsed();
  try {
    let rolledBack: Promise<unknown> | undefined;
    await sql.begin(async (tx) => {
      await tx`select from credits.account_lock(${USER})`;
      rolledBack = other.unsafe(settings + rollback);
      await Promise.race([
        someoneWaits(tx as unknown as Sql),
        rolledBack,
      ]);
      await tx`select public.grant_credits(${USER}, 777, p_kind => 'purchase', p_external_ref => 'pay-2')`;
    });
    await rolledBack;
    const [backup] =
      await sql`select nspname from pg_namespace where nspname like 'credits_backup_%'`;
    const schema = backup!.nspname as string;
    return {
      grants: await sql`select external_ref from ${
        sql(`${schema}.credit_grants`)
      } order by id`,
      ledger: await sql`select delta from ${
        sql(`${schema}.credit_ledger`)
      } order by seq`,
      accounts: await sql`select balance from ${
        sql(`${schema}.credit_accounts`)
      }`,
    };
  } finally {
    await other.end();
  }
}

describe("rollback.sql under traffic", () => {
  test.each([
    ["as a rule", ""],
    [
      "where transactions are repeatable read",
      "set default_transaction_isolation = 'repeatable read';",
    ],
  ])(
    "copies what commits while it waits, %s",
    async (_, settings) => {
      expect(await rollBackDuringPayment(settings)).toEqual({
        grants: [{ external_ref: "pay-1" }, { external_ref: "pay-2" }],
        ledger: [{ delta: "5" }, { delta: "777" }],
        accounts: [{ balance: "782" }],
      });
    },
  );

  test("waits a while for sessions that use a table, then names them and changes nothing", async () => {
    const { sql, other } = await createUsed();
    try {
      const before = await readCatalog(other);
      await sql.begin(async (tx) => {
        await tx`set local application_name = 'slow report'`;
        await tx`select from public.credit_alert_rules`;
        await expect(
          other.unsafe(`set lock_timeout = '200ms'; ${rollback}`),
        ).rejects.toThrow(
          /in use by \d+ \(slow report\) on credit_alert_rules$/,
        );
      });
      await other.unsafe("rollback");
      expect(await readCatalog(other)).toEqual(before);
      await other.unsafe("reset lock_timeout");
      await other.unsafe(rollback);
    } finally {
      await other.end();
    }
  });

  test("names who keeps auth.users", async () => {
    const { sql, other } = await createUsed();
    try {
      await sql.begin(async (tx) => {
        await tx`set local application_name = 'import of users'`;
        await tx`select from auth.users`;
        await expect(
          other.unsafe(`set lock_timeout = '200ms'; ${rollback}`),
        ).rejects.toThrow(/in use by \d+ \(import of users\) on auth\.users/);
      });
    } finally {
      await other.end();
    }
  });

  test("takes longer than a statement may, as a large ledger does", async () => {
    const { sql, other } = await createUsed();
    try {
      let rolledBack: Promise<unknown> | undefined;
      await sql.begin(async (tx) => {
        await tx`select from credits.account_lock(${USER})`;
        rolledBack = other.unsafe(
          `set statement_timeout = '200ms'; ${rollback}`,
        );
        await Promise.race([someoneWaits(tx as unknown as Sql), rolledBack]);
        await tx`select pg_sleep(0.5)`;
      });
      await rolledBack;
      expect(await other`show statement_timeout`)
        .toEqual([{ statement_timeout: "200ms" }]);
    } finally {
      await other.end();
    }
  });
});
