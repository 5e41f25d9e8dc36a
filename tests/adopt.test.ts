import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DECISIONS } from "../scripts/adopt/decisions.ts";
import type { Proof, Report } from "../scripts/adopt/report.ts";
import { makeBundle } from "../scripts/deploy/bundle.ts";
import { readCatalog } from "./support/catalog.ts";
import {
  type DatabaseServer,
  type FreshDatabase,
  startDatabaseServer,
} from "./support/databases.ts";

const USERS = 200;
const PERSON = "00000000-0000-4000-8000-";
const person = (n: number) => PERSON + String(n).padStart(12, "0");
/** A way to decide everything that old_ledger.sql gets wrong. */
const DECIDED: Readonly<Record<string, string>> = {
  "no-user": "set-aside",
  "null-delta": "set-aside",
  "out-of-range": "set-aside",
  "duplicates": "drop",
  "unknown-users": "account",
  "times": "clamp",
  "fractions": "round",
  "balance": "profile",
  "opening": "grant",
  "negative": "debt",
};

let server: DatabaseServer;
let oldLedger: string;
beforeAll(async () => {
  server = await startDatabaseServer();
  oldLedger = await readFile("tests/support/old_ledger.sql", "utf8");
});
afterAll(() => server.stop());

/** A database with a ledger of its own, of some thousand rows. */
async function oldDatabase(): Promise<FreshDatabase> {
  const database = await server.create();
  await database.sql.unsafe(
    `set old.users = '${USERS}'; set old.rows = '5000'; ${oldLedger}`,
  );
  return database;
}

function flags(decisions: Readonly<Record<string, string>>): string[] {
  return Object.entries(decisions).flatMap(([name, choice]) => [
    `--${name}`,
    choice,
  ]);
}

function start({ url }: FreshDatabase, args: readonly string[]): ChildProcess {
  return spawn(
    process.execPath,
    ["scripts/run.mjs", "adopt", "--db-url", url, ...args],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
}

/** Runs `npm run adopt` to its end. */
async function adopt(database: FreshDatabase, ...args: string[]) {
  const child = start(database, args);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.setEncoding("utf8").on("data", (text) => output[name] += text);
  }
  const [code] = await once(child, "close");
  return { code, ...output };
}

async function adoptJson(database: FreshDatabase, ...args: string[]) {
  const { code, stdout, stderr } = await adopt(database, "--json", ...args);
  if (!stdout) throw new Error(stderr);
  return { code, ...JSON.parse(stdout) as Report & { proof?: Proof } };
}

/** Runs `npm run adopt` and ends it by SIGKILL after its first batch, before its last. */
async function interrupt(
  database: FreshDatabase,
  args: readonly string[],
): Promise<void> {
  const child = start(database, args);
  const ended = once(child, "close");
  for await (const text of child.stderr!.setEncoding("utf8")) {
    if (/ entries \(/.test(text)) break;
  }
  await database.sql.begin(async (tx) => {
    // The next batch waits for this lock, and the killed one's connection ends with it.
    await tx`lock table adopted.accounts in exclusive mode`;
    child.kill("SIGKILL");
    await ended;
  });
}

/** What an adoption must make the same, however often it was interrupted. */
async function readLedger({ sql }: FreshDatabase) {
  return {
    entries:
      await sql`select account_id, seq, delta, balance_after, kind, reason, metadata, grant_id is null as overdraft from public.credit_ledger order by account_id, seq`,
    accounts:
      await sql`select id, user_id, balance, debt, credit_limit, overdraft_used, last_seq from public.credit_accounts order by id`,
    grants:
      await sql`select account_id, kind, amount, remaining, external_ref from public.credit_grants order by account_id`,
    mapping: await sql`select * from adopted.mapping order by old_id`,
    aside:
      await sql`select old_id, set_aside from adopted.set_aside order by old_id`,
  };
}

async function expectSound({ sql }: FreshDatabase): Promise<void> {
  expect(await sql`select * from public.reconciliation_discrepancies`)
    .toEqual([]);
  expect(await sql`select * from public.verify_deployment() where not ok`)
    .toEqual([]);
}

describe("npm run adopt, without --apply", () => {
  test("changes nothing, and lists what somebody must decide", async () => {
    const database = await oldDatabase();
    const before = await readCatalog(database.sql);
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
    expect(await readCatalog(database.sql)).toEqual(before);
  });

  test("says what each decision would do", async () => {
    const { code, stdout } = await adopt(await oldDatabase());
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
    const database = await oldDatabase();
    const before = await readCatalog(database.sql);
    const { negative: _, ...decided } = DECIDED;
    const { code, undecided } = await adoptJson(
      database,
      "--apply",
      ...flags(decided),
    );
    expect(code).toBe(1);
    expect(undecided).toEqual(["negative"]);
    expect(await readCatalog(database.sql)).toEqual(before);
  });

  test("books every row in order, and accounts for each", async () => {
    const database = await oldDatabase();
    const { sql } = database;
    const { code, proof } = await adoptJson(
      database,
      "--apply",
      "--kind",
      "stripe%=purchase",
      ...flags(DECIDED),
    );
    expect(code).toBe(0);
    expect(proof).toMatchObject({
      old_rows: 5017,
      moved: 5009,
      set_aside: {
        "zero": 1,
        "no-user": 1,
        "null-delta": 2,
        "out-of-range": 2,
        "duplicates": 2,
      },
      rows_astray: 0,
      users_astray: 0,
      discrepancies: 0,
    });
    await expectSound(database);
    expect(await sql`select count(*)::integer from adopted.credit_ledger`)
      .toMatchObject([{ count: 5017 }]);
    const wrongly = await sql`
      select o.id from adopted.credit_ledger as o
      left join adopted.mapping as m on m.old_id = o.id::text
      left join public.credit_ledger as l using (account_id, seq)
      left join adopted.set_aside as s on s.old_id = o.id::text
      where (s.old_id is null) <> coalesce(l.account_id = o.user_id and l.delta = round(o.delta)
        and (l.created_at = o.created_at or o.reason in ('no time', 'future', 'ever'))
        and l.reason is not distinct from left(o.reason, 500), false)`;
    expect(wrongly).toEqual([]);
    const outOfOrder = await sql`
      select from (select created_at < lag(created_at) over (partition by account_id order by seq) as back from public.credit_ledger) as l where back`;
    expect(outOfOrder).toEqual([]);
    expect(
      await sql`select distinct kind from public.credit_ledger where reason like 'stripe%'`,
    ).toEqual([{ kind: "purchase" }]);
  });

  test("ends with the balances that were decided on", async () => {
    const database = await oldDatabase();
    const { sql } = database;
    const old = new Map(
      (await sql`select id, credits::integer from public.profiles`)
        .map(({ id, credits }) => [id, credits]),
    );
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const accounts =
      await sql`select id, balance::integer, debt::integer, closed_at from public.credit_accounts`;
    expect(accounts).toHaveLength(USERS + 2);
    for (const { id, balance, debt, closed_at } of accounts) {
      if (id === person(900000001)) {
        expect([balance, closed_at instanceof Date]).toEqual([30, true]);
      } else expect([id, balance - debt]).toEqual([id, old.get(id)]);
    }
  });

  test("can decide otherwise", async () => {
    const database = await oldDatabase();
    const { sql } = database;
    const { code } = await adoptJson(
      database,
      "--apply",
      ...flags({
        ...DECIDED,
        "duplicates": "keep",
        "unknown-users": "set-aside",
        "times": "set-aside",
        "balance": "ledger",
        "opening": "ignore",
        "negative": "overdraft",
      }),
    );
    expect(code).toBe(0);
    await expectSound(database);
    expect(
      await sql`select * from public.credit_ledger where kind = 'adjustment'`,
    ).toEqual([]);
    const [debtor] =
      await sql`select balance, credit_limit, overdraft_used, debt from public.credit_accounts where id = ${
        person(10)
      }`;
    expect(debtor).toMatchObject({
      credit_limit: String(-debtor!.balance),
      overdraft_used: String(-debtor!.balance),
      debt: "0",
    });
    expect(
      await sql`select id from public.credit_accounts where id in (${
        person(900000001)
      }, ${person(800000001)})`,
    ).toEqual([]);
  });

  test("leaves the old table readable as before, and read-only", async () => {
    const database = await oldDatabase();
    const { sql } = database;
    const before =
      await sql`select * from public.credit_ledger where user_id = ${
        person(6)
      } order by id`;
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const seen = await sql.begin(async (tx) => {
      await tx`select set_config('request.jwt.claims', ${
        JSON.stringify({ sub: person(6), role: "authenticated" })
      }, true), set_config('request.jwt.claim.sub', ${person(6)}, true)`;
      await tx`set local role authenticated`;
      return await tx`select * from public.credit_ledger_before_adoption order by id`;
    });
    expect([...seen]).toEqual([...before]);
    await expect(sql`delete from adopted.credit_ledger`).rejects.toThrow(
      "read-only",
    );
    await expect(sql`truncate adopted.credit_ledger`).rejects.toThrow(
      "read-only",
    );
    await expect(sql`update public.profiles set credits = credits + 1`).rejects
      .toThrow("taken over");
    await sql`update public.profiles set name = 'new'`;
    await sql`delete from auth.users where id = ${person(6)}`;
  });

  test("lets no trigger write to the old table, and every cascade", async () => {
    const database = await oldDatabase();
    const { sql } = database;
    await sql.unsafe(`
      create table public.shops (id bigint primary key);
      create table public.campaigns (id bigint primary key);
      insert into public.shops values (1); insert into public.campaigns values (2);
      alter table public.credit_ledger add shop bigint references public.shops on delete cascade,
        add campaign bigint references public.campaigns on delete set null;
      update public.credit_ledger set shop = 1 where id = 100;
      update public.credit_ledger set campaign = 2 where id = 101;`);
    await adoptJson(database, "--apply", ...flags(DECIDED));

    for (
      const write of [
        "insert into adopted.credit_ledger (user_id, delta) values (new.id, 1)",
        "update adopted.credit_ledger set delta = 1 where id = 101",
        "update adopted.credit_ledger set campaign = null where id = 101",
        "delete from adopted.credit_ledger where id = 100",
        "truncate adopted.credit_ledger",
      ]
    ) {
      await sql.unsafe(`
        create or replace function public.mirror() returns trigger language plpgsql as $$ begin ${write}; return new; end $$;
        create or replace trigger mirror after update of name on public.profiles for each row execute function public.mirror()`);
      await expect(
        sql`update public.profiles set name = 'new' where id = ${person(1)}`,
        write,
      ).rejects.toThrow("read-only");
    }
    const old = () =>
      sql`select id::integer, campaign from adopted.credit_ledger where id in (100, 101) order by id`;
    expect(await old()).toEqual([
      { id: 100, campaign: null },
      { id: 101, campaign: "2" },
    ]);
    await sql`delete from public.shops`;
    await sql`delete from public.campaigns`;
    expect(await old()).toEqual([{ id: 101, campaign: null }]);
  });

  test("lets adopted users be charged, and welcomes only new ones", async () => {
    const database = await oldDatabase();
    const { sql } = database;
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const [verdict] =
      await sql`select status, balance::integer from public.atomic_charge_credits(${
        person(2)
      }, 'standard-image', '{"prompt": "a cat"}')`;
    const [{ credits }] =
      await sql`select credits from public.profiles where id = ${
        person(2)
      }` as unknown as [{ credits: number }];
    expect(verdict).toEqual({ status: 201, balance: credits - 500 });
    expect(
      await sql`select * from public.credit_grants where reason = 'welcome'`,
    )
      .toEqual([]);
    await sql`insert into auth.users (id, email) values (${
      person(700000001)
    }, 'new@example.com')`;
    expect(
      await sql`select account_id from public.credit_grants where reason = 'welcome'`,
    ).toEqual([{ account_id: person(700000001) }]);
    await expectSound(database);
  });

  test("has nothing to do a second time", async () => {
    const database = await oldDatabase();
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
    const [database, whole] = [await oldDatabase(), await oldDatabase()];
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

  test("is undone by rollback.sql, which gives the old table back", async () => {
    const database = await oldDatabase();
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
});

describe("rollback.sql", () => {
  test("gives the old table back in the middle of an import", async () => {
    const database = await oldDatabase();
    const { sql } = database;
    const before = await readCatalog(sql);
    await interrupt(database, [
      "--apply",
      "--batch-rows",
      "20",
      ...flags(DECIDED),
    ]);
    const rollback = await readFile("scripts/rollback.sql", "utf8");
    await sql.unsafe(`set atomic_credits.keep_data = 'off'; ${rollback}`);
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("refuses to remove what somebody put into schema adopted", async () => {
    const database = await oldDatabase();
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

describe("a ledger of other names, beside Atomic Credits", () => {
  const NAMES = [
    ...["--ledger", 'shop."Coins"', "--id", "ref", "--user", "owner"],
    ...["--delta", "coins", "--reason", "none", "--created", "day"],
    ...["--scale", "100"],
  ];

  async function shop(): Promise<FreshDatabase> {
    const database = await server.create();
    const { sql } = database;
    await sql.unsafe(await makeBundle(process.cwd()));
    await sql.unsafe(`
      create schema shop;
      create table shop."Coins" (ref uuid default gen_random_uuid() unique, owner text, coins double precision, day timestamp);
      insert into auth.users (id, email) values ('${
      person(1)
    }', 'a@example.com'), ('${person(2)}', 'b@example.com');
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
    ["a kind that is none", ["--kind", "x%=gift"], "the kind one of grant"],
    [
      "balances that are not there",
      ["--balances", "public.profiles.coins"],
      "has no column coins",
    ],
  ])("%s", async (_, args, message) => {
    const { code, stderr } = await adopt(await oldDatabase(), ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(message));
  });

  test("where another table has a name that the migrations need", async () => {
    const database = await oldDatabase();
    await database.sql.unsafe("create table public.request_events (mine text)");
    const { code, collisions } = await adoptJson(
      database,
      "--apply",
      ...flags(DECIDED),
    );
    expect([code, collisions]).toEqual([1, ["table public.request_events"]]);
  });
});
