import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DECISIONS } from "../../scripts/adopt/decisions.ts";
import { readCatalog } from "../support/catalog.ts";
import {
  adopt,
  adoptJson,
  DECIDED,
  flags,
  type OldDatabases,
  startOldDatabases,
} from "../support/old_ledger.ts";
import { readRows } from "../support/rows.ts";

let server: OldDatabases;
beforeAll(async () => {
  server = await startOldDatabases();
});
afterAll(() => server.stop());

/** All that a database is and holds. */
const stateOf = async (sql: Sql) => ({
  catalog: await readCatalog(sql),
  rows: await readRows(sql),
});

describe("npm run adopt, without --apply", () => {
  test("changes nothing, and lists what somebody must decide", async () => {
    const database = await server.createOld();
    const before = await stateOf(database.sql);
    const folder = await mkdtemp(join(tmpdir(), "atomic-credits-adopt-"));
    const file = join(folder, "found.csv");
    const { code, ...report } = await adoptJson(database, "--list", file);
    const csv = (await readFile(file, "utf8")).trimEnd().split("\n");
    await rm(folder, { recursive: true });

    expect(code).toBe(1);
    expect(report.undecided).toEqual(Object.keys(DECIDED).sort());
    const counts = Object.fromEntries(
      report.findings.map(({ class: name, rows, accounts }) => [name, [
        rows,
        accounts,
      ]]),
    );
    expect(counts).toEqual({
      "no-user": [1, 0],
      "null-delta": [2, 2],
      "out-of-range": [2, 1],
      "duplicates": [2, 1],
      "unknown-users": [2, 1],
      "times": [3, 1],
      "fractions": [1, 1],
      "balance": [0, 2],
      "opening": [0, 1],
      "negative": [0, 1],
    });
    expect(csv.length - 1).toBe(1 + 2 + 2 + 2 + 2 + 3 + 1 + 2 + 1 + 1);
    expect(report.mentions).toEqual(["function public.spend(uuid,integer)"]);
    expect(await stateOf(database.sql)).toEqual(before);
  });

  test("says what each decision would do", async () => {
    const { code, stdout } = await adopt(await server.createOld());
    expect(code).toBe(1);
    for (const flag of Object.keys(DECIDED)) {
      for (const choice of Object.keys(DECISIONS[flag]!.choices)) {
        expect(stdout).toContain(`--${flag} ${choice}: `);
      }
    }
    expect(stdout).toMatch(/row 5005 {2}\S+6 {2}-7 {2}2024-07-03/);
    expect(stdout).toContain("Nothing was changed");
  });
});

describe("npm run adopt -- --apply", () => {
  test("refuses while anything is undecided, and changes nothing", async () => {
    const database = await server.createOld();
    const before = await stateOf(database.sql);
    const { negative: _, ...decided } = DECIDED;
    const { code, undecided } = await adoptJson(
      database,
      "--apply",
      ...flags(decided),
    );
    expect(code).toBe(1);
    expect(undecided).toEqual(["negative"]);
    expect(await stateOf(database.sql)).toEqual(before);
  });
});

describe("npm run adopt refuses", () => {
  test.each([
    [
      "a table that is not there",
      ["--ledger", "public.nothing"],
      "there is no table public.nothing",
    ],
    [
      "a column that is not there",
      ["--user", "nobody"],
      "has no column nobody",
    ],
    [
      "an amount that is no number",
      ["--delta", "reason"],
      "public.credit_ledger.reason is text",
    ],
    [
      "ids that are not unique",
      ["--id", "reason"],
      "old rows share an id|have no id",
    ],
    [
      "a choice that a decision has not",
      ["--negative", "maybe"],
      "choose overdraft or debt or zero",
    ],
    ["an unknown kind", ["--kind", "x%=gift"], "the kind one of grant"],
    [
      "balances that are not there",
      ["--balances", "public.profiles.coins"],
      "has no column coins",
    ],
  ])("%s", async (_, args, message) => {
    const { code, stderr } = await adopt(await server.createOld(), ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(message));
  });

  test("where a table or function of yours has a name that the migrations need", async () => {
    const database = await server.createOld();
    await database.sql.unsafe(
      `create table public.credit_request_events (mine text);
       create function public.grant_credits(mine text) returns text language sql as 'select mine'`,
    );
    const { code, collisions } = await adoptJson(
      database,
      "--apply",
      ...flags(DECIDED),
    );
    expect([code, collisions]).toEqual([1, [
      "function public.grant_credits",
      "table public.credit_request_events",
    ]]);
  });
});
