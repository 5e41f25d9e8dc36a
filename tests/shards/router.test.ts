import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { describe, expect, test } from "vitest";
import type { Fleet } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import {
  as,
  asService as service,
  canRoute,
  SHARDS,
  useFleet,
} from "./fleet.ts";

describe.skipIf(!canRoute)("a router of four shards is as one database", () => {
  const shared = useFleet();

  test("credits move on the account's own shard", async () => {
    await movesCredits(shared.router, shared.fleet, shared.accounts);
  });

  test("users see their own alone", async () => {
    await showsUsersTheirOwn(shared.router, shared.accounts);
  });

  test("an error keeps its code, message and hint", async () => {
    await saysWhatWentWrong(shared.router, shared.accounts);
  });

  test("users cannot call what the router is made of", async () => {
    const callable = await shared
      .router`select f.oid::regprocedure::text as name
      from pg_proc as f cross join (values ('anon'), ('authenticated'), ('service_role')) as r (role)
      where f.pronamespace = 'credits_router'::regnamespace and has_function_privilege(r.role, f.oid, 'execute')`;
    // Of a policy: they say nothing of others.
    expect(new Set(callable.map(({ name }) => name))).toEqual(
      new Set([
        "credits_router.my_places()",
        "credits_router.planned_for(uuid[])",
      ]),
    );
    const readable = await shared.router`select c.oid::regclass::text as name
      from pg_class as c cross join (values ('anon'), ('authenticated'), ('service_role')) as r (role)
      where c.relnamespace = 'credits_router'::regnamespace and has_table_privilege(r.role, c.oid, 'select')`;
    expect(readable).toEqual([]);
  });
});

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
  accounts: readonly string[],
): Promise<void> {
  const [own, other] = accounts;
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
    (tx) =>
      tx`select distinct account_id from public.credit_ledger where account_id = any(${[
        ...accounts,
      ]})`,
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
