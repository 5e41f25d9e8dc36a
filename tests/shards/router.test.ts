import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { expect, test } from "vitest";
import { findDifferences } from "../../scripts/shards/check.ts";
import type { Fleet } from "../../scripts/shards/config.ts";
import { onDatabase, readInterface } from "../../scripts/shards/interface.ts";
import { initRouter } from "../../scripts/shards/router.ts";
import { as, onFleet, SHARDS } from "./fleet.ts";

/** Ids of accounts, one for each shard. */
async function findAccounts(fleet: Fleet): Promise<string[]> {
  return await onDatabase(fleet.router, async (sql) => {
    const found = new Map<string, string>();
    while (found.size < SHARDS.length) {
      const id = randomUUID();
      const [row] = await sql`select credits_router.shard_of(${id}) as shard`;
      if (!found.has(row!.shard)) found.set(row!.shard, id);
    }
    return SHARDS.map((name) => found.get(name)!);
  });
}

test("a router of four shards is as one database", async () => {
  await onFleet(async (fleet) => {
    await initRouter(fleet, () => {});
    const accounts = await findAccounts(fleet);
    const router = postgres(fleet.router, { max: 4, onnotice: () => {} });
    try {
      await movesCredits(router, fleet, accounts);
      await showsUsersTheirOwn(router, accounts);
      await saysWhatWentWrong(router, accounts);
      await refusesWhatItCannotDo(router, accounts);
      await survivesAnOutage(router, fleet, [...accounts, accounts[0]!]);
      await comparesCatalogs(fleet);
    } finally {
      await router.end({ timeout: 5 });
    }
  });
}, 120_000);

const service = <T>(
  sql: postgres.Sql,
  action: (tx: postgres.TransactionSql) => Promise<T>,
) => as(sql, "service_role", undefined, action);

async function movesCredits(
  router: postgres.Sql,
  fleet: Fleet,
  accounts: readonly string[],
): Promise<void> {
  for (const [i, id] of accounts.entries()) {
    const jobs = await service(router, async (tx) => {
      await tx`select * from public.grant_credits(p_account_id => ${id}, p_amount => 1000,
        p_external_ref => ${`test:${id}`})`;
      const charge = () =>
        tx`select * from public.atomic_charge_credits(p_account_id => ${id},
        p_model => 'standard-image', p_input => '{"prompt": "a cat"}', p_idempotency_key => ${randomUUID()})`;
      return [(await charge())[0]!, (await charge())[0]!];
    });
    expect(jobs.map(({ status }) => status)).toEqual([201, 201]);
    const [made, unwanted] = jobs.map(({ job_id }) => job_id as string);
    const { settled, refunded } = await service(router, async (tx) => ({
      settled:
        (await tx`select * from public.settle_generation(p_job_id => ${made!}, p_output => '{"outputs": []}')`)[
          0
        ]!,
      refunded:
        (await tx`select * from public.refund_credits(p_job_id => ${unwanted!})`)[
          0
        ]!,
    }));
    expect(settled.status).toBe("succeeded");
    expect(refunded.status).toBe("canceled");
    // On its own shard, and on no other.
    for (const [j, shard] of fleet.shards.entries()) {
      const [there] = await onDatabase(
        shard.url,
        (sql) =>
          sql`select count(*)::int as entries from public.credit_ledger where account_id = ${id}`,
      );
      expect(there!.entries > 0).toBe(i === j);
    }
  }
}

async function showsUsersTheirOwn(
  router: postgres.Sql,
  [own, other]: readonly string[],
): Promise<void> {
  // A user's own account has the user's id as its user.
  const seen = await as(router, "authenticated", own, async (tx) => ({
    ids: await tx`select distinct account_id from public.credit_ledger`,
    foreign:
      await tx`select from public.credit_ledger where account_id = ${other!}`,
    statement:
      await tx`select * from public.account_statement(${own!}, '-infinity', 'infinity')`,
    theirs:
      await tx`select * from public.account_statement(${other!}, '-infinity', 'infinity')
        where line not in ('opening', 'closing')`,
    balance:
      (await tx`select public.balance_as_of(${own!}, now()) as own, public.balance_as_of(${other!}, now()) as other`)[
        0
      ]!,
  }));
  expect(seen.ids.map(({ account_id }) => account_id)).toEqual([own]);
  expect(seen.foreign).toHaveLength(0);
  expect(seen.statement.length).toBeGreaterThan(2);
  expect(seen.theirs).toHaveLength(0);
  expect(Number(seen.balance.own)).toBeGreaterThan(0);
  expect(Number(seen.balance.other)).toBe(0);
  const all = await service(
    router,
    (tx) => tx`select distinct account_id from public.credit_ledger`,
  );
  expect(all).toHaveLength(SHARDS.length);
}

async function saysWhatWentWrong(
  router: postgres.Sql,
  [id]: readonly string[],
): Promise<void> {
  const missing = await service(
    router,
    (tx) => tx`select public.settle_generation(${randomUUID()}, '{}')`,
  ).catch((error) => error);
  expect(missing.code).toBe("PT404");
  expect(missing.message).not.toMatch(/REMOTE|s\d|public\./);
  const misuse = await service(
    router,
    (tx) => tx`select public.grant_credits(${id!}, -1)`,
  ).catch((error) => error);
  expect(misuse.code).toBe("22023");
  expect(misuse.message).toMatch(/^amount must be/);
  expect(misuse.hint ?? "").not.toMatch(/^Remote/);
  const denied = await as(
    router,
    "authenticated",
    id,
    (tx) => tx`select public.grant_credits(${id!}, 1)`,
  ).catch((error) => error);
  expect(denied.code).toBe("42501");
}

async function refusesWhatItCannotDo(
  router: postgres.Sql,
  [a, b]: readonly string[],
): Promise<void> {
  const refused = await service(
    router,
    (tx) =>
      tx`select public.transfer_credits(p_from_account_id => ${a!}, p_to_account_id => ${b!}, p_amount => 1,
      p_external_ref => ${randomUUID()})`,
  ).catch((error) => error);
  expect(refused.code).toBe("0A000");
}

/** Everything that a caller sees of a function, a table or a type is equal; a change of one shard is named. */
async function comparesCatalogs(fleet: Fleet): Promise<void> {
  expect(await findDifferences(fleet)).toEqual([]);
  const [offered, routed] = await Promise.all([
    readInterface(fleet.shards[0]!.url),
    readInterface(fleet.router),
  ]);
  expect(routed).toEqual(offered);
  await onDatabase(fleet.shards[2]!.url, async (sql) => {
    await sql`grant execute on function public.grant_credits to anon`;
    await sql`update public.credit_settings set low_balance_credits = low_balance_credits + 1`;
  });
  const differences = await findDifferences(fleet);
  expect(differences.map(({ where }) => where)).toEqual(["s2", "s2"]);
  expect(differences[0]!.what).toMatch(/^function public\.grant_credits/);
  expect(differences[1]!.what).toMatch(/^row public\.credit_settings/);
}

/** A shard that does not answer is an outage that the Data API answers with 503, and no other shard notices. */
async function survivesAnOutage(
  router: postgres.Sql,
  fleet: Fleet,
  [, , , dead, alive]: readonly string[],
): Promise<void> {
  const server = fleet.router.replace("/router", "/template1");
  const admit = (connections: boolean) =>
    onDatabase(server, async (sql) => {
      await sql.unsafe(
        `alter database s3 with allow_connections ${connections}`,
      );
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = 's3'`;
    });
  await admit(false);
  const grant = (id: string) =>
    service(
      router,
      (tx) =>
        tx`select * from public.grant_credits(p_account_id => ${id}, p_amount => 1,
        p_external_ref => ${`outage:${id}`})`,
    );
  const refused = await grant(dead!).catch((error) => error);
  expect(refused.code).toBe("08006");
  expect(refused.message).toBe(
    "the database of this account cannot be reached",
  );
  expect((await grant(alive!))[0]!.replayed).toBe(false);
  const differences = await findDifferences(fleet);
  expect(differences.map(({ where }) => where)).toEqual(["s3"]);
  await admit(true);
  expect((await grant(dead!))[0]!.replayed).toBe(false);
  expect((await grant(dead!))[0]!.replayed).toBe(true);
}
