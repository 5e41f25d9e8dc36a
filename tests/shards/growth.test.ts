import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main as shards } from "../../scripts/shards.ts";
import { findDifferences } from "../../scripts/shards/check.ts";
import { readFleet, writeFleet } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { halves } from "../../scripts/shards/move.ts";
import { loginsSql } from "../../scripts/shards/servers.ts";
import { withDatabase } from "../../scripts/test/database.ts";
import { startFleet, type TestFleet } from "../../scripts/test/fleet.ts";
import { runCommand } from "../support/command.ts";
import { accountsOf, as, asService, canRoute, rowsForRouter } from "./fleet.ts";
import {
  addUser,
  changeLocale,
  expectOldRefuses,
  followsTheRouter,
  hasErasure,
  hasUser,
  killWhenCopying,
  noteErasure,
  prepareTransaction,
  refsListedAt,
  total,
  withPassword,
  withReference,
} from "./growing.ts";

test("a shard gives half of its groups away, so that each half is one partition", () => {
  expect(halves({ name: "s", groups: [1, 5, 9, 13] })).toEqual([[1, 9], [
    5,
    13,
  ]]);
  expect(() => halves({ name: "s", groups: [3] })).toThrow("never divided");
});

// It changes which databases there are: a fleet of its own.
describe.skipIf(!canRoute)("a fleet grows", () => {
  let started: TestFleet;
  let router: postgres.Sql;
  let folder: string;
  let file: string;
  let accounts: readonly string[];

  beforeAll(async () => {
    if (!canRoute) return;
    started = await startFleet();
    folder = await mkdtemp(join(tmpdir(), "atomic-credits-shards-"));
    file = join(folder, "shards.json");
    await writeFleet(file, started.fleet);
    router = postgres(started.fleet.router, {
      prepare: false,
      onnotice: () => {},
    });
    accounts = [
      ...await accountsOf(started.fleet),
      ...(await Promise.all([1, 2, 3].map(() => accountsOf(started.fleet))))
        .flat(),
    ];
    for (const account of accounts) await grant(account, "first");
  });
  afterAll(async () => {
    await router?.end({ timeout: 5 });
    await started?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  const grant = async (account: string, ref: string) => {
    const [granted] = await asService(
      router,
      (tx) =>
        tx`select * from public.grant_credits(p_account_id => ${account}, p_amount => 10,
        p_external_ref => ${`${ref}:${account}`})`,
    );
    return granted!;
  };
  const book = (account: string, ref: string) =>
    asService(
      router,
      (tx) =>
        tx`select public.grant_credits(p_account_id => ${account}, p_amount => 1, p_external_ref => ${ref})`,
    ).then(() => "booked", (error) => error.code as string);
  const entriesOf = (account: string) =>
    as(
      router,
      "authenticated",
      account,
      (tx) =>
        tx`select seq from public.credit_ledger where account_id = ${account}`,
    );
  const attempt = (...args: string[]) =>
    runCommand(shards, [...args, "--file", file]);
  const command = async (...args: string[]) => {
    expect(await attempt(...args)).toMatchObject({ code: 0, stderr: "" });
  };

  test("a shard moves, goes on where it was killed, and nothing is lost or double", async () => {
    const { fleet } = started;
    const account = accounts[3]!;
    const [source, target] = [
      withPassword(fleet.shards[3]!.url, "of the old one"),
      withPassword(withDatabase(fleet.shards[0]!.url, "moved"), "of the new"),
    ] as const;
    // Another way to it, as pgbouncer is one.
    const through = source.replace("127.0.0.1", "localhost");
    const last = { ...fleet.shards[3]!, url: source, through };
    await writeFleet(file, {
      ...fleet,
      shards: [...fleet.shards.slice(0, 3), last],
    });
    await changeLocale(fleet.shards[3]!.url, "C", "C.UTF-8");
    await addUser(fleet.shards[3]!.url, account);
    const copiers = await killWhenCopying(
      fleet,
      ["move", "s3", "--file", file],
      { SHARDS_URL: target },
    );
    expect(copiers.map(({ program, password }) => [program, password]))
      .toEqual([["pg_dump", "of the old one"], ["psql", "of the new"]]);
    expect(copiers.map(({ args }) => args).join(" ")).not.toMatch(/of.the/);
    const refused = await grant(account, "meanwhile").catch((error) => error);
    expect(refused.code).toBe("08006");
    expect(await entriesOf(account)).toHaveLength(1);
    await grant(accounts[0]!, "meanwhile");
    const both = await Promise.all(
      [1, 2].map(() => attempt("move", "s3", target)),
    );
    expect(both.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(both.map(({ stdout }) => stdout).join("")).toContain(
      "s3: is reached without pgbouncer;",
    );
    expect(both.map(({ stderr }) => stderr).join("")).toContain(
      "in another terminal",
    );
    const moved = await readFleet(file, {});
    expect(moved.shards[3]!.url).toBe(target);
    await changeLocale(target, "C.UTF-8", "C");
    expect(await hasUser(target, account)).toBe(false);
    expect((await grant(account, "meanwhile")).replayed).toBe(false);
    expect((await grant(account, "first")).replayed).toBe(true);
    expect(await entriesOf(account)).toHaveLength(2);
    expect(await findDifferences(moved)).toEqual([]);
    await expectOldRefuses(fleet.shards[3]!.url, account);
  });

  test("a new shard gets half of another's groups, and each account is on one", async () => {
    const { fleet, last } = started;
    const url = withDatabase(
      fleet.shards[0]!.url.replace(/:\d+\//, `:${last.port}/`),
      "s4",
    );
    const [, , , owner] = accounts as [string, string, string, string];
    const listed = await refsListedAt(router, [0, 4]);
    for (const ref of listed) expect(await book(owner, ref)).toBe("booked");
    // Whose account is elsewhere, and who has still to leave the teams of both halves.
    await noteErasure(fleet.shards[0]!.url, owner);
    const before = await total(router);
    await command("add", "s4", url, "--from", "s0");
    const grown = await readFleet(file, {});
    expect(grown.shards.map(({ name, groups }) => [name, groups.join()]))
      .toEqual([
        ["s0", "0,8"],
        ["s4", "4,12"],
        ["s1", "1,5,9,13"],
        ["s2", "2,6,10,14"],
        ["s3", "3,7,11,15"],
      ]);
    expect(await findDifferences(grown)).toEqual([]);
    expect(await total(router)).toEqual(before);
    for (const account of accounts) {
      expect((await grant(account, "first")).replayed, account).toBe(true);
      expect((await grant(account, "grown")).replayed, account).toBe(false);
    }
    for (const ref of listed) {
      expect(await book(accounts[1]!, ref), "one account's").toBe("PT409");
      expect(await book(owner, ref)).toBe("booked");
    }
    for (const { name, url } of grown.shards.slice(0, 2)) {
      expect(await hasErasure(url, owner), name).toBe(true);
    }
    const found =
      await router`select shard, answer ->> 'discrepancies' as discrepancies
      from credits_router.each_reconcile_credit_ledger(true)`;
    expect(found.map(({ discrepancies }) => discrepancies)).toEqual([
      "0",
      "0",
      "0",
      "0",
      "0",
    ]);
    await followsTheRouter(grown, router);
  });

  test("what would lose rows is refused before anything is changed", async () => {
    const grown = await readFleet(file, {});
    // The file as it was before the last add, as a version control may give it back.
    const [here, , ...others] = grown.shards;
    const groups = [0, 4, 8, 12];
    await writeFleet(file, {
      ...grown,
      shards: [{ ...here!, groups }, ...others],
    });
    expect((await attempt("init")).stderr).toContain(
      "holds the slot groups {0,8}",
    );
    await writeFleet(file, grown);
    const target = withDatabase(here!.url, "elsewhere");
    expect((await attempt("add", "s1", target, "--from", "s0")).stderr)
      .toContain("s1 is another shard's name");
    expect((await attempt("add", "long", target, "--from", "s0")).stderr)
      .toContain('"long" cannot be a shard');
    const unprepare = await prepareTransaction(here!.url, "a's late one");
    const late = await attempt("add", "s5", target, "--from", "s0");
    // No move has begun, and the shard still takes writes.
    await grant(accounts[0]!, "late");
    await unprepare();
    expect(late.stderr).toContain("rollback prepared 'a''s late one'");
    const referring = await withReference(
      here!.url,
      accounts[0]!,
      () => attempt("add", "s5", target, "--from", "s0"),
    );
    expect(referring.stderr).toContain("drop constraint profiles_id_fkey");
    await router`insert into credits_router.moves values ('s4', 'there', 'switched')`;
    expect((await attempt("init")).stderr).toContain("s4 is on its way");
    await command("add", "s4", grown.shards[1]!.url, "--from", "s0");
    expect(await readFleet(file, {})).toEqual(grown);
    expect(await findDifferences(grown)).toEqual([]);
    expect((await grant(accounts[0]!, "grown")).replayed).toBe(true);
  });

  test("a new password of any characters reaches all connections, and is not forgotten", async () => {
    const fleet = await readFleet(file, {});
    const password = "it's \\ 100% $$ grün";
    const { stderr } = await runCommand(shards, ["init", "--file", file], {
      SHARDS_PASSWORD: password,
    });
    // Test servers ask for none, which postgres_fdw refuses: the last step reads.
    expect(stderr).toMatch(/^password is required/);
    const told = await router`select srvname, o.option_value as password
      from pg_user_mappings, pg_options_to_table(umoptions) as o
      where srvname like 'credits%' and o.option_name = 'password'`;
    expect(told).toHaveLength(2 + fleet.shards.length);
    expect(told.find(({ srvname }) => srvname === "credits_s0")!.password)
      .toBe(password);
    // A connection string that is broken would call nobody.
    await onDatabase(
      fleet.router,
      (sql) => sql`select public.grant_credits(${accounts[0]!}, 1)`,
    );
    expect((await attempt("init")).stderr).toContain(
      "SHARDS_PASSWORD is missing",
    );
    await onDatabase(fleet.router, (sql) => sql.unsafe(loginsSql(fleet)));
    await command("init");
  });

  test("a new router stands in for the old one, with what waits there", async () => {
    const grown = await readFleet(file, {});
    const person = accounts[0]!;
    await router`insert into auth.users (id, email, email_confirmed_at) values (${person}, 'late@shards.test', now())`;
    await router`insert into credits_router.operator_changes (slot_group, user_id, reason, idempotency_key, caller_role)
      values (0, ${person}, 'they left', 'key', 'authenticated')`;
    const server = postgres(withDatabase(grown.router, "template1"), {
      max: 1,
    });
    await server`create database router2 template bare owner postgres`;
    await server.end({ timeout: 5 });
    // As a project has it for the role that makes the router: what is new is open to all.
    await onDatabase(
      withDatabase(grown.router, "router2"),
      (sql) =>
        sql.unsafe(
          `alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
        alter default privileges in schema public grant all on functions to anon, authenticated, service_role`,
        ),
    );
    const next = {
      ...grown,
      router: withDatabase(grown.router, "router2"),
      formerly: grown.router,
    };
    expect(await rowsForRouter(next)).toBe(1);
    await writeFleet(file, next);
    await command("init");
    // What broke off is run again.
    await command("init");
    expect(await findDifferences(next)).toEqual([]);
    await router.end({ timeout: 5 });
    router = postgres(next.router, { prepare: false, onnotice: () => {} });
    const had =
      await router`select account_id from public.credit_sign_up_grants where account_id = ${person}`;
    expect(had).toHaveLength(1);
    expect(
      await router`delete from credits_router.operator_changes where user_id = ${person} returning id`,
    ).toHaveLength(1);
    const [delivered] =
      await router`select credits_router.deliver_handovers() as calls`;
    expect(delivered!.calls).toBe(1);
    expect((await entriesOf(person)).length).toBeGreaterThan(1);
    await followsTheRouter(next, router);
  });
});
