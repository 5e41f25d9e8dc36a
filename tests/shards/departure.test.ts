import { randomUUID } from "node:crypto";
import type { TransactionSql } from "postgres";
import { describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { accountsOf, asService, canRoute, useFleet } from "./fleet.ts";
import { usePeople } from "./people.ts";

/** Of a picture of the model in the seed, and of what else they pay here. */
const PRICE = 500;

describe.skipIf(!canRoute)("who leaves", () => {
  const shared = useFleet({ alone: true });
  const people = usePeople(shared);

  test("is charged no more and reads nothing, before the task has run", async () => {
    const id = await people.signUp();
    await people.deliver();
    await people.remove(id);
    expect(
      await people.reading(
        id,
        (tx) => tx`select id from public.credit_accounts`,
      ),
    )
      .toEqual([]);
    const withdrawal = asService(
      shared.router,
      (tx) => tx`select public.grant_credits(${id}, 1)`,
    );
    await expect(withdrawal).rejects.toMatchObject({ code: "PT403" });
    await people.deliver();
    expect(await people.accountOf(id)).toMatchObject({
      closed: true,
      user_id: null,
    });
    // Back under the same id.
    await people.add(id);
    expect(
      await people.reading(
        id,
        (tx) => tx`select id from public.credit_accounts`,
      ),
    )
      .toEqual([{ id }]);
    await people.deliver();
    expect(await people.accountOf(id)).toMatchObject({
      closed: false,
      user_id: id,
    });
  });

  test("spends nothing of their team any more, before the task has run", async () => {
    const id = await people.signUp();
    const team = (await accountsOf(shared.fleet))[1]!;
    const charge = () =>
      asService(
        shared.router,
        (tx) =>
          tx`select (c).* from public.atomic_charge_credits(${team}, 'standard-image', '{"prompt": "x"}',
            ${randomUUID()}, p_member_id => ${id}) as c`,
      );
    await asService(shared.router, async (tx) => {
      await tx`select public.create_team_account(${randomUUID()}, ${team})`;
      await tx`select public.set_account_member(${team}, ${id}, 'member')`;
      await tx`select public.grant_credits(${team}, ${2 * PRICE})`;
    });
    expect(await charge()).toMatchObject([{ code: "charged" }]);
    await people.remove(id);
    expect(await charge()).toMatchObject([{ code: "not_a_member" }]);
    expect(await people.accountOf(team)).toMatchObject({ balance: PRICE });
  });

  test.each([
    [
      "by an app key of theirs",
      async (tx: TransactionSql, team: string, _: string, key: string) =>
        await tx`select (c).code from public.charge_by_app_key(${team}, ${key}, 'standard-image',
          '{"prompt": "x"}', ${randomUUID()}) as c`,
    ],
    [
      "in a batch",
      async (tx: TransactionSql, team: string, id: string) =>
        await tx`select (c).code from public.atomic_charge_credits_batch(${team}, jsonb_build_array(
          jsonb_build_object('model', 'standard-image', 'input', '{"prompt": "x"}'::jsonb, 'member_id', ${id}::text))) as c`,
    ],
  ])("spends nothing of their team %s either", async (_, charge) => {
    const id = await people.signUp();
    const team = (await accountsOf(shared.fleet))[1]!;
    const charged = (key: string) =>
      asService(shared.router, (tx) => charge(tx, team, id, key));
    const [made] = await asService(shared.router, async (tx) => {
      await tx`select public.create_team_account(${randomUUID()}, ${team})`;
      await tx`select public.set_account_member(${team}, ${id}, 'admin')`;
      await tx`select public.grant_credits(${team}, ${2 * PRICE})`;
      return await tx`select key_id from public.create_app_key(${team}, ${id}, 'theirs')`;
    });
    expect(await charged(made!.key_id)).toEqual([{ code: "charged" }]);
    await people.remove(id);
    expect(await charged(made!.key_id)).toEqual([{
      code: "not_a_member",
    }]);
    expect(await people.accountOf(team)).toMatchObject({ balance: PRICE });
  });

  test("is charged no more also where two calls about them come at once", async () => {
    const id = await people.signUp();
    await people.deliver();
    await people.remove(id);
    const charge = () =>
      asService(
        shared.router,
        (tx) =>
          tx`select (public.atomic_charge_credits(${id}, 'standard-image', '{"prompt": "x"}',
            ${randomUUID()})).code`,
      ).then(([row]) => row!.code as string, (error) => error.code as string);
    await shared.router.begin("read only", async (other) => {
      await other`select public.balance_as_of(${id}, now())`;
      // To be repeated.
      expect(await charge()).toBe("08006");
    });
    expect(await charge()).toBe("account_closed");
    expect(await people.accountOf(id)).toMatchObject({
      balance: people.welcome,
      closed: true,
    });
  });

  test("is not brought back by who reads the state before", async () => {
    const id = await people.signUp();
    await shared.router.begin(
      "isolation level repeatable read read only",
      async (earlier) => {
        await earlier`select from credits.handovers`;
        await people.deliver();
        await people.remove(id);
        await people.deliver();
        expect(await people.waitingFor(id)).toEqual([]);
        await earlier`select public.balance_as_of(${id}, now())`;
      },
    );
    expect(await people.accountOf(id)).toMatchObject({
      closed: true,
      user_id: null,
    });
  });

  test("beside their sign-up grant stays away, also with two runs of the task at once", async () => {
    const id = await people.signUp();
    await people.deliver();
    // The task has decided beside the deletion, and its row comes after that of the deletion.
    await people.remove(id);
    await shared
      .router`select credits.handover_add('join', ${id}, ${people.welcome})`;
    await shared.router.begin(async (first) => {
      await people.run(first);
      await people.run();
    });
    for (let runs = 0; runs < 3; runs++) await people.deliver();
    expect(await people.waitingFor(id)).toEqual([]);
    expect(await people.accountOf(id)).toEqual({
      balance: people.welcome,
      closed: true,
      user_id: null,
    });
  });

  test("is not told to leave while somebody tells that they joined", async () => {
    const id = await people.signUp();
    await shared.router.begin(async (other) => {
      await other`select public.withdraw_credits(${id}, 1)`;
      await people.remove(id);
      await people.run();
      expect(await people.accountOf(id)).toMatchObject({ closed: false });
    });
    await people.deliver();
    expect(await people.accountOf(id)).toMatchObject({
      closed: true,
      user_id: null,
    });
  });

  test.each([
    ["deletion", people.remove],
    ["erasure", people.erase],
  ])(
    "whom their shard refuses is not kept from their %s",
    async (_, leave) => {
      const id = await people.signUp();
      await onDatabase(
        shared.fleet.shards[0]!.url,
        (sql) =>
          sql`select public.grant_credits(${id}, 1, p_external_ref => ${`sign-up:${id}`})`,
      );
      for (let runs = 0; runs < 3; runs++) {
        await people.deliver();
      }
      expect(await people.waitingFor(id)).toEqual(["join"]);
      // Their own calls go on meanwhile.
      expect(
        await people.reading(
          id,
          (tx) => tx`select id from public.credit_accounts`,
        ),
      )
        .toEqual([{ id }]);
      await leave(id);
      await people.deliver();
      expect(await people.waitingFor(id)).toEqual([]);
      expect(await people.accountOf(id)).toEqual({
        balance: 1,
        closed: true,
        user_id: null,
      });
    },
  );

  test("has just signed up, and is erased at once", async () => {
    const id = await people.signUp();
    await people.erase(id);
    expect(await people.waitingFor(id)).toEqual([]);
    expect(await people.accountOf(id)).toEqual({
      balance: people.welcome,
      closed: true,
      user_id: null,
    });
  });

  test("is erased while a grant is due, and does not come back by it", async () => {
    const id = await people.signUp();
    await people.deliver();
    await shared
      .router`insert into credits.sign_ups_due (account_id) values (${id})`;
    await shared
      .router`delete from public.credit_sign_up_grants where account_id = ${id}`;
    await shared
      .router`delete from credits.sign_up_addresses where account_id = ${id}`;
    await people.erase(id);
    await shared.router`select public.grant_due_sign_ups()`;
    await people.deliver();
    expect(await people.accountOf(id)).toMatchObject({
      closed: true,
      user_id: null,
    });
  });
});
