import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main as shards } from "../../scripts/shards.ts";
import { findDifferences } from "../../scripts/shards/check.ts";
import {
  type Fleet,
  readFleet,
  writeFleet,
} from "../../scripts/shards/config.ts";
import { halves } from "../../scripts/shards/move.ts";
import { withDatabase } from "../../scripts/test/database.ts";
import { startFleet, type TestFleet } from "../../scripts/test/fleet.ts";
import { runCommand } from "../support/command.ts";
import { accountsOf, as, asService, canRoute } from "./fleet.ts";

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
  const entriesOf = (account: string) =>
    as(
      router,
      "authenticated",
      account,
      (tx) =>
        tx`select seq from public.credit_ledger where account_id = ${account}`,
    );
  const command = async (...args: string[]) => {
    const { code, stderr } = await runCommand(shards, [
      ...args,
      "--file",
      file,
    ]);
    expect([code, stderr]).toEqual([0, ""]);
  };

  test("a shard moves, goes on where it was killed, and nothing is lost or double", async () => {
    const { fleet } = started;
    const account = accounts[3]!;
    const target = withDatabase(fleet.shards[0]!.url, "moved");
    await killWhenCopying(fleet, ["move", "s3", target, "--file", file]);
    const refused = await grant(account, "meanwhile").catch((error) => error);
    expect(refused.code).toBe("08006");
    expect(await entriesOf(account)).toHaveLength(1);
    await grant(accounts[0]!, "meanwhile");
    await command("move", "s3", target);
    const moved = await readFleet(file, {});
    expect(moved.shards[3]!.url).toBe(target);
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
    const next = {
      ...grown,
      router: withDatabase(grown.router, "router2"),
      formerly: grown.router,
    };
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

/** Begins a move in a process of its own, and kills it while it copies. */
async function killWhenCopying(fleet: Fleet, args: string[]): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [
    "scripts/run.mjs",
    "shards",
    ...args,
  ], { stdio: "ignore" });
  const server = postgres(withDatabase(fleet.router, "template1"), { max: 1 });
  try {
    for (;;) {
      const [copying] =
        await server`select from pg_stat_activity where datname = 'moved' and application_name = 'psql'`;
      if (copying) break;
      expect(child.exitCode).toBeNull();
      await sleep(20);
    }
  } finally {
    await server.end({ timeout: 5 });
    child.kill("SIGKILL");
  }
  await once(child, "exit");
}

async function expectOldRefuses(url: string, account: string): Promise<void> {
  const old = postgres(url, { max: 1 });
  const refused = await old`select public.grant_credits(${account}, 1)`.catch((
    error,
  ) => error);
  await old.end({ timeout: 5 });
  expect(refused.code).toBe("25006");
}

async function total(router: postgres.Sql) {
  return [
    ...await router`select count(*), sum(balance) from public.credit_accounts`,
  ];
}

async function followsTheRouter(
  { shards }: Fleet,
  router: postgres.Sql,
): Promise<void> {
  await router`update public.credit_settings set low_balance_credits = low_balance_credits + 3`;
  const [told] =
    await router`select low_balance_credits as credits from public.credit_settings`;
  for (const { url, name } of shards) {
    const shard = postgres(url, { max: 1 });
    await expect.poll(
      async () =>
        (await shard`select low_balance_credits as credits from public.credit_settings`)[
          0
        ]!.credits,
      {
        message: name,
        timeout: 10_000,
      },
    ).toBe(told!.credits);
    await shard.end({ timeout: 5 });
  }
}
