import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { beforeAll, describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import {
  accountsOf,
  as,
  asService,
  canRoute,
  lastShard,
  SHARDS,
  useFleet,
} from "./fleet.ts";

/** The accounts of whose entries a user sees any. */
const seenBy = (router: postgres.Sql, user: string) =>
  as(router, "authenticated", user, async (tx) => {
    const rows = await tx`select distinct account_id from public.credit_ledger`;
    return rows.map(({ account_id }) => account_id as string).sort();
  });

const grant = (router: postgres.Sql, account: string) =>
  asService(
    router,
    (tx) =>
      tx`select public.grant_credits(p_account_id => ${account}, p_amount => 1000,
      p_external_ref => ${`reads:${account}`})`,
  );

describe.skipIf(!canRoute)("reading through the router", () => {
  const shared = useFleet();

  test("a team is read where it lives, until its member leaves", async () => {
    const { router, accounts } = shared;
    const [user, , team] = accounts as [string, string, string];
    await asService(
      router,
      (tx) => tx`select public.create_team_account(${user}, ${team})`,
    );
    for (const account of [user, team]) await grant(router, account);
    expect(await seenBy(router, user)).toEqual([user, team].sort());
    await asService(
      router,
      (tx) =>
        tx`select public.set_account_member(${team}, ${randomUUID()}, 'owner')`,
    );
    await asService(
      router,
      (tx) => tx`select public.remove_account_member(${team}, ${user})`,
    );
    // What the router noted is where to ask; the shard says who belongs to the team.
    expect(await seenBy(router, user)).toEqual([user]);
    await router`select credits_router.refresh_memberships()`;
    const [noted] = await router`select from credits_router.memberships
      where user_id = ${user}`;
    expect(noted).toBeUndefined();
  });

  test("a member whom a shard was told of without the router is found by the task", async () => {
    const { router, accounts, fleet } = shared;
    const [, user, , team] = accounts as [string, string, string, string];
    await grant(router, team);
    await onDatabase(
      fleet.shards[3]!.url,
      (sql) =>
        sql`insert into public.account_members (account_id, user_id, role) values (${team}, ${user}, 'member')`,
    );
    await router`select credits_router.refresh_memberships()`;
    expect(await seenBy(router, user)).toEqual([team]);
  });

  test("a user's job by its id asks their own shard alone", async () => {
    const { router, fleet } = shared;
    const [, , user] = await accountsOf(fleet);
    await grant(router, user!);
    const [job] = await asService(
      router,
      (tx) =>
        tx`select * from public.atomic_charge_credits(p_account_id => ${user!}, p_model => 'standard-image',
        p_input => '{"prompt": "a cat"}', p_idempotency_key => ${randomUUID()})`,
    );
    const { status, plan } = await as(
      router,
      "authenticated",
      user,
      async (tx) => ({
        status:
          (await tx`select status from public.generation_jobs where id = ${
            job!.job_id
          }`)[0]!.status,
        plan:
          await tx`explain select status from public.generation_jobs where id = ${
            job!.job_id
          }`,
      }),
    );
    expect(status).toBe("pending");
    const scans = plan.map((row) => row["QUERY PLAN"] as string)
      .filter((line) => line.includes("Foreign Scan"));
    expect(scans).toHaveLength(1);
    expect(scans[0]).toContain("s2_generation_jobs");
  });

  test("a plan that was kept for somebody else is refused, instead of leaving out rows", async () => {
    const { router, accounts: [user, other] } = shared;
    const entries = (tx: postgres.TransactionSql, id: string) =>
      tx.unsafe(`select set_config('request.jwt.claim.sub', '${id}', true)`)
        .then(() => tx.unsafe("execute entries"));
    const refused = await as(router, "authenticated", user, async (tx) => {
      await tx.unsafe(
        "prepare entries as select seq from public.credit_ledger",
      );
      await entries(tx, user!);
      return await entries(tx, other!);
    }).catch((error) => error);
    expect(refused.code).toBe("0A000");
  });

  test("a GET writes nothing, here as on one database", async () => {
    const refused = await shared.router.begin(
      "read only",
      (tx) => tx`select public.grant_credits(${shared.accounts[0]!}, 1)`,
    ).catch((error) => error);
    expect(refused.code).toBe("25006");
  });

  test("metrics and reports name the shard", async () => {
    const metrics = await asService(
      shared.router,
      (tx) =>
        tx`select distinct labels ->> 'shard' as shard from public.operational_metrics() order by 1`,
    );
    expect(metrics.map(({ shard }) => shard)).toEqual(["router", ...SHARDS]);
    const stats = await shared
      .router`select shard, unreachable, answer ->> 'hours' as hours
      from credits_router.each_get_generation_stats(1) order by 1`;
    expect(stats.map(({ shard, hours }) => [shard, hours]))
      .toEqual(SHARDS.map((shard) => [shard, "1"]));
  });

  test("a deep reconciliation of each shard finds nothing", async () => {
    const runs = await shared
      .router`select shard, answer ->> 'discrepancies' as discrepancies
      from credits_router.each_reconcile_credit_ledger(true) order by 1`;
    expect(runs.map(({ shard }) => shard)).toEqual([...SHARDS]);
    expect(
      await shared
        .router`select * from credits_router.reconciliation_discrepancies`,
    )
      .toEqual([]);
  });
});

describe.skipIf(!canRoute)("reading while a shard is down", () => {
  const shared = useFleet({ alone: true });
  let team: string;

  beforeAll(async () => {
    if (!canRoute) return;
    const { router, accounts } = shared;
    team = accounts[3]!;
    await asService(
      router,
      (tx) => tx`select public.create_team_account(${accounts[0]!}, ${team})`,
    );
    for (const account of accounts) await grant(router, account);
    await lastShard("stop");
    return () => lastShard("start");
  });

  test("users of other shards see theirs", async () => {
    const [, user] = shared.accounts;
    expect(await seenBy(shared.router, user!)).toEqual([user]);
  });

  test("its users hear of it in the words of a call, which name no database", async () => {
    const user = shared.accounts[3]!;
    const refused = await seenBy(shared.router, user).catch((error) => error);
    expect(refused).toMatchObject({
      code: "08006",
      message: "the database of this account cannot be reached",
      hint: "Repeat the call with the same arguments.",
    });
    expect(refused.detail).toBeUndefined();
  });

  test("whose team is there sees their own account, and hears of the outage where they ask for the team's", async () => {
    const { router, accounts: [user] } = shared;
    const entriesOf = (account: string) =>
      as(
        router,
        "authenticated",
        user,
        (tx) =>
          tx`select seq from public.credit_ledger where account_id = ${account}`,
      );
    expect(await entriesOf(user!)).toHaveLength(1);
    const refused = await entriesOf(team).catch((error) => error);
    expect(refused.code).toMatch(/^08/);
  });

  test("one row says so of a view, a metric and a check; the others are there", async () => {
    const rows = await shared
      .router`select shard, unreachable from credits_router.generation_stats_hourly
      where unreachable`;
    expect(rows.map(({ shard }) => shard)).toEqual(["s3"]);
    const metrics = await asService(
      shared.router,
      (tx) =>
        tx`select metric, labels ->> 'shard' as shard from public.operational_metrics()`,
    );
    expect(new Set(metrics.map(({ shard }) => shard)))
      .toEqual(new Set(["router", ...SHARDS]));
    expect(
      metrics.filter(({ shard }) => shard === "s3").map(({ metric }) => metric),
    )
      .toEqual(["atomic_credits_shard_unreachable"]);
  });

  test("events of the others are handed out, and each task does the others' part before it says so", async () => {
    await asService(
      shared.router,
      (tx) => tx`select * from public.claim_events(5)`,
    );
    const refused = await asService(
      shared.router,
      (tx) => tx`select public.sweep_overdue_jobs()`,
    ).catch((error) => error);
    expect(refused.code).toBe("08006");
  });
});
