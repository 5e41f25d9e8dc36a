import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  accountsOf,
  asService,
  canRoute,
  useFleet,
  whileDown,
  withoutAnswer,
} from "./fleet.ts";

describe.skipIf(!canRoute)("people past one database", () => {
  const shared = useFleet({ alone: true });
  // What other files left to be told is none of its business.
  beforeAll(async () => {
    while (canRoute && await deliver() > 0);
  });
  afterAll(async () => {
    if (canRoute) {
      await shared
        .router`delete from auth.users where email like '%@shards.test'`;
    }
  });

  const signUp = (id: string) =>
    shared.router`insert into auth.users (id, email, email_confirmed_at)
      values (${id}, ${`${id}@shards.test`}, now())`;
  const entriesOf = (id: string) =>
    asService(
      shared.router,
      (tx) =>
        tx`select kind, delta from public.credit_ledger where account_id = ${id}`,
    );
  /** The task, as it runs a while later. */
  const deliver = async () => {
    await shared.router`update credits.handovers set next_try_at = now()`;
    const [row] = await shared
      .router`select credits_router.deliver_handovers() as calls`;
    return row!.calls as number;
  };
  const handoversWaiting = async () => {
    const [metric] = await asService(
      shared.router,
      (tx) =>
        tx`select value from public.operational_metrics()
        where metric = 'atomic_credits_handovers_waiting' and labels ->> 'shard' = 'router'`,
    );
    return Number(metric!.value);
  };

  test("a sign-up is granted once on its shard, also where that was down", async () => {
    const [near, , , far] = shared.accounts as [string, string, string, string];
    await whileDown(async () => {
      await signUp(near);
      await signUp(far);
      expect(await deliver()).toBe(1);
    });
    expect(await deliver()).toBe(1);
    expect(await deliver()).toBe(0);
    for (const id of [near, far]) {
      expect((await entriesOf(id)).map(({ kind }) => kind), id).toEqual([
        "grant",
      ]);
    }
  });

  test("a deletion reaches every shard once it is up, and so does an erasure", async () => {
    const [, gone] = shared.accounts as [string, string];
    const [, , , team] = await accountsOf(shared.fleet);
    await signUp(gone);
    await deliver();
    await asService(
      shared.router,
      (tx) => tx`select public.create_team_account(${randomUUID()}, ${team!})`,
    );
    await asService(
      shared.router,
      (tx) => tx`select public.set_account_member(${team!}, ${gone}, 'member')`,
    );
    const waiting = await whileDown(async () => {
      await shared.router`delete from auth.users where id = ${gone}`;
      await deliver();
      const calls = await handoversWaiting();
      await asService(
        shared.router,
        (tx) => tx`select public.erase_account(${gone})`,
      );
      return calls;
    });
    expect(waiting).toBe(4);
    await deliver();
    await deliver();
    const [left] = await shared
      .router`select count(*)::integer as calls from credits.handovers`;
    expect(left!.calls).toBe(0);
    const [account] = await asService(
      shared.router,
      (tx) =>
        tx`select user_id, closed_at is not null as closed from public.credit_accounts where id = ${gone}`,
    );
    expect(account).toEqual({ user_id: null, closed: true });
    const members = await asService(
      shared.router,
      (tx) => tx`select from public.account_members where user_id = ${gone}`,
    );
    expect(members).toHaveLength(0);
  });

  test("a team cannot have a user's id", async () => {
    const [user] = shared.accounts as [string];
    const refused = await asService(
      shared.router,
      (tx) => tx`select public.create_team_account(${randomUUID()}, ${user})`,
    ).catch((error) => error);
    expect(refused.code).toBe("PT409");
  });

  test("who has not been deleted does not leave", async () => {
    const [user] = await accountsOf(shared.fleet);
    await signUp(user!);
    await deliver();
    const refused = await asService(
      shared.router,
      (tx) => tx`select public.person_leaves(${user!})`,
    ).catch((error) => error);
    expect(refused.code).toBe("PT409");
    await shared.router`delete from auth.users where id = ${user!}`;
    await deliver();
  });

  test("a shard that is gone without an answer holds up no other one's people", async () => {
    const [near] = await accountsOf(shared.fleet) as [string];
    const lost = (await Promise.all([1, 2, 3].map(() =>
      accountsOf(shared.fleet)
    ))).map(
      (ids) => ids[3]!,
    );
    await withoutAnswer(shared.fleet, async () => {
      for (const id of [...lost, near]) await signUp(id);
      await shared.router`update credits.handovers set next_try_at = now()`;
      await shared.router.begin(async (tx) => {
        await tx`set local statement_timeout = '20s'`;
        await tx`select credits_router.run_tasks()`;
      });
      const [left] = await shared
        .router`select count(*)::integer as calls from credits.handovers`;
      expect(left!.calls).toBe(lost.length);
      expect(await entriesOf(near)).toHaveLength(1);
    });
    expect(await deliver()).toBe(lost.length);
    for (const id of lost) expect(await entriesOf(id), id).toHaveLength(1);
  });

  test("the router's tasks run as one call", async () => {
    await shared.router`select credits_router.run_tasks()`;
  });
});
