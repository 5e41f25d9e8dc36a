import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  adopt,
  adoptJson,
  DECIDED,
  flags,
  interrupt,
  type OldDatabases,
  readLedger,
  startOldDatabases,
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
