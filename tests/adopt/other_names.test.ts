import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeBundle } from "../../scripts/deploy/bundle.ts";
import type { FreshDatabase } from "../support/databases.ts";
import {
  adoptJson,
  expectSound,
  flags,
  type OldDatabases,
  person,
  startOldDatabases,
} from "../support/old_ledger.ts";

let server: OldDatabases;
beforeAll(async () => {
  server = await startOldDatabases();
});
afterAll(() => server.stop());

describe("a ledger of other names, beside Atomic Credits", () => {
  const NAMES = [
    "--ledger",
    'shop."Coins"',
    "--id",
    "ref",
    "--user",
    "owner",
    "--delta",
    "coins",
    "--reason",
    "none",
    "--created",
    "day",
    "--scale",
    "100",
  ];

  async function shop(): Promise<FreshDatabase> {
    const database = await server.create();
    const { sql } = database;
    await sql.unsafe(await makeBundle(process.cwd()));
    await sql.unsafe(`
      create schema shop;
      create table shop."Coins" (ref uuid default gen_random_uuid() unique, owner text, coins double precision, day timestamp);
      insert into auth.users (id, email, email_confirmed_at) values ('${
      person(1)
    }', 'a@example.com', now()), ('${person(2)}', 'b@example.com', now());
      insert into shop."Coins" (owner, coins, day) values
        ('${person(1)}', 5.25, '2025-01-02'), ('${
      person(1)
    }', -0.25, '2025-01-03'), ('not a uuid', 1, '2025-01-01');
    `);
    return database;
  }

  test("comes behind the entries that are there", async () => {
    const database = await shop();
    const { code, undecided } = await adoptJson(database, ...NAMES);
    expect([code, undecided]).toEqual([1, ["existing", "no-user"]]);
    const { proof } = await adoptJson(
      database,
      ...NAMES,
      ...flags({ "existing": "append", "no-user": "set-aside" }),
      "--apply",
    );
    expect(proof).toMatchObject({ moved: 2, discrepancies: 0 });
    expect(
      await database
        .sql`select seq, delta, metadata ->> 'adopted_created_at' as day from public.credit_ledger where account_id = ${
        person(1)
      } order by seq`,
    ).toEqual([
      { seq: "1", delta: "5000", day: null },
      { seq: "2", delta: "525", day: "2025-01-02T00:00:00+00:00" },
      { seq: "3", delta: "-25", day: "2025-01-03T00:00:00+00:00" },
    ]);
    expect(await database.sql`select coins from shop."Coins" order by day`)
      .toEqual([{ coins: 1 }, { coins: 5.25 }, { coins: -0.25 }]);
    await expectSound(database);
  });

  test("can be left out for users who have entries already", async () => {
    const database = await shop();
    const { proof } = await adoptJson(
      database,
      ...NAMES,
      ...flags({ "existing": "set-aside", "no-user": "set-aside" }),
      "--apply",
    );
    expect(proof).toMatchObject({
      moved: 0,
      set_aside: { existing: 2, "no-user": 1 },
      rows_astray: 0,
      users_astray: 0,
    });
  });
});
