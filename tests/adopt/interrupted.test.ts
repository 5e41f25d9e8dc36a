import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCatalog } from "../support/catalog.ts";
import {
  adopt,
  adoptJson,
  DECIDED,
  flags,
  interrupt,
  type OldDatabases,
  person,
  readLedger,
  startOldDatabases,
  USERS,
} from "../support/old_ledger.ts";

let server: OldDatabases;
beforeAll(async () => {
  server = await startOldDatabases();
});
afterAll(() => server.stop());

describe("npm run adopt -- --apply", () => {
  test("has nothing to do a second time", async () => {
    const database = await server.createOld();
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const before = await readLedger(database);
    const { code, stderr } = await adopt(database, "--apply");
    expect([code, stderr]).toEqual([
      0,
      "This database was adopted already, nothing to do.\n",
    ]);
    expect(await readLedger(database)).toEqual(before);
  });

  test("goes on where a SIGKILL ended it, with the same result", async () => {
    const [database, whole] = [
      await server.createOld(),
      await server.createOld(),
    ];
    const args = ["--apply", "--batch-rows", "20", ...flags(DECIDED)];
    await interrupt(database, args);
    const [progress] = await database
      .sql`select done > 0 as begun, done < entries as unfinished from adopted.progress()`;
    expect(progress).toEqual({ begun: true, unfinished: true });
    expect(
      await database.sql`select * from public.reconciliation_discrepancies`,
    )
      .toEqual([]);

    const resumed = await adoptJson(database, "--apply");
    expect([resumed.code, resumed.proof?.rows_astray]).toEqual([0, 0]);
    await adoptJson(whole, ...args);
    expect(await readLedger(database)).toEqual(await readLedger(whole));
  });
});

describe("rollback.sql", () => {
  test("undoes an adoption, and gives the old table back", async () => {
    const database = await server.createOld();
    const { sql } = database;
    const before = await readCatalog(sql);
    const rows = await sql`select * from public.credit_ledger order by id`;
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const rollback = await readFile("scripts/rollback.sql", "utf8");
    await sql.unsafe(`set atomic_credits.keep_data = 'off'; ${rollback}`);
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
    const rollback = await readFile("scripts/rollback.sql", "utf8");
    await sql.unsafe(`set atomic_credits.keep_data = 'off'; ${rollback}`);
    expect(await readCatalog(sql)).toEqual(before);
    expect([...await sql`select * from public.credit_ledger order by id`])
      .toEqual([...rows]);
  });

  test("refuses to remove what somebody put into schema adopted", async () => {
    const database = await server.createOld();
    const { sql } = database;
    await adoptJson(database, "--apply", ...flags(DECIDED));
    await sql.unsafe("create table adopted.mine (id integer)");
    const rollback = await readFile("scripts/rollback.sql", "utf8");
    await expect(sql.unsafe(rollback)).rejects.toThrow(
      "table or view of yours",
    );
    await sql.unsafe("rollback");
    expect(await sql`select count(*)::integer from public.credit_accounts`)
      .toEqual([{ count: USERS + 2 }]);
  });
});
