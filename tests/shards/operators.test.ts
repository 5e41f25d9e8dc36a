import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { asOperator as asAnOperator, REASON } from "./acting.ts";
import {
  asService,
  canRoute,
  useFleet,
  whileDown,
  withoutAnswer,
} from "./fleet.ts";

type Action = Parameters<typeof asAnOperator>[2];

describe.skipIf(!canRoute)("operators past one database", () => {
  const shared = useFleet({ alone: true });
  const admin = randomUUID();
  const helper = randomUUID();

  const asOperator = (sub: string, action: Action) =>
    asAnOperator(shared.router, sub, action);
  const set = (sub: string, user: string, role: string, key = randomUUID()) =>
    asOperator(
      sub,
      (tx) =>
        tx`select * from public.operator_set(${user}, ${role}, null, null, ${REASON}, ${key})`,
    );
  const remove = (sub: string, user: string, key: string) =>
    asOperator(
      sub,
      (tx) =>
        tx`select * from public.operator_remove(${user}, ${REASON}, ${key})`,
    );
  const give = (account: string) =>
    asOperator(
      helper,
      (tx) =>
        tx`select * from public.operator_grant(${account}, 5, null, ${REASON}, ${randomUUID()})`,
    );
  const onEach = (user: string) =>
    Promise.all(
      shared.fleet.shards.map(({ url }) =>
        onDatabase(url, async (sql) => {
          const [row] =
            await sql`select role, disabled_at is null as active from public.credit_operators where user_id = ${user}`;
          return row && `${row.role} ${row.active ? "active" : "removed"}`;
        })
      ),
    );

  beforeAll(async () => {
    if (!canRoute) return;
    await shared
      .router`insert into public.credit_operators (user_id, role) values (${admin}, 'admin')`;
    await shared
      .router`insert into auth.users (id, email) values (${helper}, 'helper@shards.test')`;
    for (const account of shared.accounts) {
      await asService(
        shared.router,
        (tx) => tx`select public.grant_credits(${account}, 1000)`,
      );
    }
  });
  afterAll(async () => {
    if (!canRoute) return;
    await shared.router`delete from auth.users where id = ${helper}`;
    await shared.router`select credits_router.deliver_handovers()`;
  });

  test("an admin makes one on every shard, once; nobody else does", async () => {
    expect(await set(helper, helper, "admin")).toMatchObject({
      code: "42501",
      detail: "not_an_operator",
    });
    expect(await set(admin, randomUUID(), "support")).toMatchObject({
      code: "PT404",
      detail: "unknown_user",
    });
    expect(await set(admin, helper, "king")).toMatchObject({
      code: "22023",
      detail: "operator",
    });
    const key = randomUUID();
    const [made] = await set(admin, helper, "support", key);
    const [again] = await set(admin, helper, "support", key);
    expect([made.code, made.replayed, again.replayed]).toEqual([
      "done",
      false,
      true,
    ]);
    expect(await onEach(helper)).toEqual(Array(4).fill("support active"));
    for (const account of shared.accounts) {
      expect((await give(account))[0].code).toBe("done");
    }
    const [me] = await asOperator(
      helper,
      (tx) => tx`select role, used_today from public.operator_me`,
    );
    expect(me).toEqual({ role: "support", used_today: "20" });
  });

  test("find a user by mail, who is on the router; nobody else does", async () => {
    const find = (sub: string) =>
      asOperator(
        sub,
        (tx) =>
          tx`select kind, account_id from public.operator_search('helper@shards')`,
      );
    expect([...await find(helper)]).toEqual([{
      kind: "user",
      account_id: helper,
    }]);
    expect(await find(randomUUID())).toMatchObject({ code: "42501" });
  });

  test("are named by their mail in an account's timeline, or by what the shard knows of them", async () => {
    const [account] = shared.accounts;
    await asOperator(
      admin,
      (tx) =>
        tx`select * from public.operator_grant(${account!}, 5, null, ${REASON}, ${randomUUID()})`,
    );
    const named = await asOperator(
      helper,
      (tx) =>
        tx`select detail ->> 'operator' as name from public.operator_timeline(${account!}) where operator_id is not null`,
    );
    expect(named.map(({ name }: { name: string }) => name))
      .toEqual([admin, "helper@shards.test"]);
    expect(
      await asOperator(
        helper,
        (tx) =>
          tx`select * from public.operator_timeline(${account!}, p_limit => 0)`,
      ),
    ).toMatchObject({ code: "22023" });
  });

  test("of two admins who remove each other at once, one stays, and on every shard the same one", async () => {
    for (let round = 0; round < 5; round++) {
      const pair = [randomUUID(), randomUUID()] as const;
      await shared
        .router`insert into public.credit_operators (user_id, role) values (${
        pair[0]
      }, 'admin'), (${pair[1]}, 'admin')`;
      const answers = await Promise.all([
        remove(pair[0], pair[1], randomUUID()),
        remove(pair[1], pair[0], randomUUID()),
      ]);
      expect(answers.map(({ detail, 0: row }) => detail ?? row.code).sort())
        .toEqual(["done", "not_an_operator"]);
      const [a, b] = await Promise.all(pair.map((user) => onEach(user)));
      expect([a, b].map((states) => [...new Set(states)]).sort())
        .toEqual([["admin active"], ["admin removed"]]);
    }
  });

  test("have one trail to verify, and discrepancies to fix where they are", async () => {
    const [chain] = await asService(
      shared.router,
      (tx) => tx`select * from public.verify_operator_actions(${helper})`,
    );
    expect(chain).toMatchObject({ sound: true, checked: "4" });
    const [job] = await asService(
      shared.router,
      (tx) =>
        tx`select * from public.atomic_charge_credits(${shared
          .accounts[2]!}, 'standard-image', '{"prompt": "a cat"}')`,
    );
    await set(admin, helper, "finance");
    const fix = (kind: string, subject: string) =>
      asOperator(
        helper,
        (tx) =>
          tx`select * from public.operator_fix_discrepancy(${kind}, ${subject}, ${REASON}, ${randomUUID()})`,
      );
    expect((await fix("job", job!.job_id))[0].account_id)
      .toBe(shared.accounts[2]);
    expect(await fix("balance", "")).toMatchObject({
      code: "22023",
      detail: "no_fix",
    });
  });

  test("who is removed while a shard is down acts on none, also before that shard has heard of it", async () => {
    const far = shared.accounts[3]!;
    const key = randomUUID();
    const [removed, page] = await whileDown(async () => [
      (await remove(admin, helper, key))[0],
      await asOperator(
        admin,
        (tx) => tx`select * from public.operator_accounts_page()`,
      ),
    ]);
    expect(removed).toMatchObject({ code: "done", replayed: false });
    expect(removed.details.waiting_for).toEqual(["s3"]);
    expect(page).toMatchObject({ code: "08006", message: "no answer from s3" });
    expect(await onEach(helper)).toEqual([
      ...Array(3).fill("finance removed"),
      "finance active",
    ]);
    for (
      const read of [
        // Its shard has heard nothing, and would answer.
        `select * from public.operator_timeline('${far}')`,
        "select * from public.operator_search('helper')",
        "select * from public.operator_accounts_page()",
      ]
    ) {
      expect(await asOperator(helper, (tx) => tx.unsafe(read))).toMatchObject({
        code: "42501",
      });
    }
    expect(
      await asOperator(helper, (tx) => tx`select * from public.operator_me`),
    ).toHaveLength(0);
    expect(await give(far)).toMatchObject({
      code: "42501",
      detail: "not_an_operator",
    });
    const team = await asOperator(
      admin,
      (tx) =>
        tx`select disabled_at is null as active from public.operator_team where user_id = ${helper}`,
    );
    expect(team.map(({ active }: { active: boolean }) => active))
      .toEqual([false]);
    // The first connection after an outage may have been that of the old server.
    await shared.router`select credits_router.run_tasks()`;
    await shared.router`select credits_router.run_tasks()`;
    expect(await onEach(helper)).toEqual(Array(4).fill("finance removed"));
    expect(await shared.router`select from credits_router.operator_changes`)
      .toHaveLength(0);
    expect((await remove(admin, helper, key))[0].replayed).toBe(true);
    expect(await give(far)).toMatchObject({
      code: "42501",
      detail: "not_an_operator",
    });
  });

  test("a user who is deleted is none any more at once, nor made one where that is still to be told", async () => {
    const user = randomUUID();
    await shared
      .router`insert into auth.users (id, email) values (${user}, 'leaves@shards.test')`;
    await whileDown(async () => {
      const [made] = await set(admin, user, "viewer");
      expect(made.details.waiting_for).toEqual(["s3"]);
      await shared.router`delete from auth.users where id = ${user}`;
      expect(
        await asOperator(user, (tx) => tx`select * from public.operator_me`),
      ).toHaveLength(0);
      expect(
        await asOperator(
          user,
          (tx) =>
            tx`select * from public.operator_timeline(${shared.accounts[0]!})`,
        ),
      ).toMatchObject({ code: "42501", detail: "not_an_operator" });
    });
    for (let waiting = true; waiting;) {
      await shared.router`select credits_router.run_tasks()`;
      await shared.router`update credits.handovers set next_try_at = now()`;
      const rows = await shared.router`select from credits.handovers
        union all select from credits_router.operator_changes`;
      waiting = rows.length > 0;
    }
    expect(await onEach(user)).toEqual([
      ...Array(3).fill("viewer removed"),
      undefined,
    ]);
  });

  test("a removal holds on the others while a shard's host answers nothing, which is told later", async () => {
    expect((await set(admin, helper, "support"))[0].code).toBe("done");
    await withoutAnswer(shared.fleet, async () => {
      const [removed] = await remove(admin, helper, randomUUID());
      expect(removed.details.waiting_for).toEqual(["s3"]);
      expect(await give(shared.accounts[0]!)).toMatchObject({
        code: "42501",
        detail: "not_an_operator",
      });
    });
    expect(await onEach(helper)).toEqual([
      ...Array(3).fill("support removed"),
      "support active",
    ]);
    await shared.router`select credits_router.run_tasks()`;
    expect(await onEach(helper)).toEqual(Array(4).fill("support removed"));
  });
});
