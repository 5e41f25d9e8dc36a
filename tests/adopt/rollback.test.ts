import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCatalog } from "../support/catalog.ts";
import type { FreshDatabase } from "../support/databases.ts";
import {
  adoptJson,
  DECIDED,
  flags,
  interrupt,
  type OldDatabases,
  person,
  startOldDatabases,
} from "../support/old_ledger.ts";

let server: OldDatabases;
let rollback: string;
beforeAll(async () => {
  server = await startOldDatabases();
  rollback = `set atomic_credits.keep_data = 'off'; ${await readFile(
    "scripts/rollback.sql",
    "utf8",
  )}`;
});
afterAll(() => server.stop());

let original: FreshDatabase | undefined;

/** An old ledger that was taken over. */
async function adopted(): Promise<FreshDatabase> {
  if (!original) {
    original = await server.createOld({ users: 20, rows: 100 });
    await adoptJson(original, "--apply", ...flags(DECIDED));
  }
  return await server.copy(original);
}

describe("rollback.sql after an adoption", () => {
  test("undoes an adoption, and gives the old table back", async () => {
    const database = await server.createOld();
    const { sql } = database;
    const before = await readCatalog(sql);
    const rows = await sql`select * from public.credit_ledger order by id`;
    await adoptJson(database, "--apply", ...flags(DECIDED));
    await sql.unsafe(rollback);
    expect(await readCatalog(sql)).toEqual(before);
    expect([...await sql`select * from public.credit_ledger order by id`])
      .toEqual([...rows]);
    await sql`select public.spend(${person(1)}, 1)`;
    const again = await adoptJson(database, "--apply", ...flags(DECIDED));
    expect([again.code, again.proof?.old_rows]).toEqual([0, 5018]);
  });

  test("gives the old table back in the middle of an import", async () => {
    const database = await server.createOld();
    const { sql } = database;
    const before = await readCatalog(sql);
    const rows = await sql`select * from public.credit_ledger order by id`;
    await interrupt(database, [
      "--apply",
      "--batch-rows",
      "20",
      ...flags(DECIDED),
    ]);
    await sql.unsafe(rollback);
    expect(await readCatalog(sql)).toEqual(before);
    expect([...await sql`select * from public.credit_ledger order by id`])
      .toEqual([...rows]);
  });

  test.each([
    [
      "a table there",
      "create table adopted.mine (id integer)",
      "table adopted.mine",
    ],
    [
      "a function there",
      "create function adopted.mine() returns integer language sql as 'select 1'",
      "function adopted.mine()",
    ],
    [
      "a view on where the rows went",
      "create view public.mine as select old_id, seq from adopted.mapping",
      "view mine",
    ],
    [
      "a materialized view of the plan",
      "create materialized view public.mine as select * from adopted.entries",
      "materialized view mine",
    ],
    [
      "a view on the view that was left",
      "create view public.mine as select * from public.credit_ledger_before_adoption",
      "view mine",
    ],
    [
      "a trigger of its own that refuses writes",
      "create trigger mine before update on public.profiles for each row execute function adopted.refuse_write()",
      "trigger mine on table profiles",
    ],
  ])("names %s, and changes nothing", async (_, mine, named) => {
    const { sql } = await adopted();
    await sql.unsafe(mine);
    const before = await readCatalog(sql);
    await expect(sql.unsafe(rollback)).rejects.toThrow(
      /^something of yours depends on Atomic Credits: /,
    );
    await sql.unsafe("rollback");
    await expect(sql.unsafe(rollback)).rejects.toThrow(named);
    await sql.unsafe("rollback");
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("leaves what of yours hangs on the old table", async () => {
    const database = await server.createOld();
    const { sql } = database;
    await sql.unsafe(
      "create table public.hints (entry bigint references public.credit_ledger)",
    );
    await adoptJson(database, "--apply", ...flags(DECIDED));
    await sql.unsafe(
      "create view public.mine as select id, delta from adopted.credit_ledger",
    );
    await sql.unsafe(rollback);
    expect(
      await sql`select conname, confrelid = 'public.credit_ledger'::regclass as old from pg_constraint where conrelid = 'public.hints'::regclass`,
    ).toEqual([{ conname: "hints_entry_fkey", old: true }]);
    expect(await sql`select pg_get_viewdef('public.mine') as definition`)
      .toMatchObject([{
        definition: expect.stringContaining("FROM credit_ledger"),
      }]);
  });

  test("says what has the old table's place, and changes nothing", async () => {
    const database = await server.createOld();
    const { sql } = database;
    await sql.unsafe("alter table public.credit_ledger rename to coins");
    await adoptJson(
      database,
      "--ledger",
      "public.coins",
      "--apply",
      ...flags(DECIDED),
    );
    await sql.unsafe("drop view public.coins; create table public.coins ()");
    await expect(sql.unsafe(rollback)).rejects.toThrow(
      "public.coins has the place of the old ledger",
    );
    await sql.unsafe("rollback");
    await sql.unsafe("drop table public.coins");
    await sql.unsafe(rollback);
    await sql`select delta from public.coins limit 1`;
  });

  test.each<[string, string, string]>([
    [
      "dropped the view that was left",
      "drop view public.credit_ledger_before_adoption",
      "",
    ],
    [
      "renamed the table of balances",
      "alter table public.profiles rename to profs; alter table public.profs rename credits to coins",
      "alter table public.profiles rename to profs; alter table public.profs rename credits to coins",
    ],
    [
      "dropped the table of balances",
      "drop table public.profiles cascade",
      "drop table public.profiles cascade",
    ],
    [
      "renamed the old table",
      "alter table adopted.credit_ledger rename to credit_ledger_old",
      "alter table public.credit_ledger rename to credit_ledger_old",
    ],
    [
      "dropped its triggers",
      "drop trigger adopted_read_only on adopted.credit_ledger; drop trigger adopted_cascades_only on adopted.credit_ledger",
      "",
    ],
    [
      "dropped the old table",
      "drop table adopted.credit_ledger cascade",
      "drop table public.credit_ledger",
    ],
  ])("gives it back to who has %s", async (_, change, same) => {
    const expected = await server.createOld();
    await expected.sql.unsafe(same);
    const { sql } = await adopted();
    await sql.unsafe(change);
    await sql.unsafe(rollback);
    expect(await readCatalog(sql)).toEqual(await readCatalog(expected.sql));
  });
});
