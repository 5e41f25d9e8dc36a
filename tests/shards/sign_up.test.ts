import { randomUUID } from "node:crypto";
import type { TransactionSql } from "postgres";
import { describe, expect, test } from "vitest";
import {
  accountsOf,
  asService,
  canRoute,
  useFleet,
  whileDown,
} from "./fleet.ts";
import { usePeople } from "./people.ts";

/** Of a picture of the model in the seed, and of what else they pay here. */
const PRICE = 500;

describe.skipIf(!canRoute)("who has just signed up", () => {
  const shared = useFleet({ alone: true });
  const people = usePeople(shared);

  test("reads their account and its first entry at once, and again; the task adds nothing", async () => {
    const id = await people.signUp();
    const account = (tx: TransactionSql) =>
      tx`select id, balance::integer from public.credit_accounts`;
    expect(await people.reading(id, account)).toEqual([{
      id,
      balance: people.welcome,
    }]);
    expect(
      await people.reading(
        id,
        (tx) => tx`select delta::integer, kind from public.credit_ledger`,
      ),
    ).toEqual([{ delta: people.welcome, kind: "grant" }]);
    // What only reads cannot note that it has told the shard.
    expect(await people.waitingFor(id)).toEqual(["join"]);
    await people.deliver();
    expect(await people.waitingFor(id)).toEqual([]);
    expect(await people.reading(id, account)).toEqual([{
      id,
      balance: people.welcome,
    }]);
  });

  test("asks a function that only reads, and is answered at once", async () => {
    const id = await people.signUp(1);
    const [balance] = await people.reading(
      id,
      (tx) =>
        tx`select public.balance_as_of(${id}, now() + interval '1 minute')::integer as balance`,
    );
    expect(balance).toEqual({ balance: people.welcome });
  });

  test.each([
    [
      "is charged by the app's server",
      async (tx: TransactionSql, id: string) =>
        await tx`select public.atomic_charge_credits(${id}, 'standard-image', '{"prompt": "x"}', ${randomUUID()})`,
    ],
    [
      "sends credits to somebody",
      async (tx: TransactionSql, id: string) =>
        await tx`select public.transfer_credits(${id}, ${shared
          .accounts[1]!}, ${PRICE}, ${randomUUID()})`,
    ],
    [
      "has credits taken",
      async (tx: TransactionSql, id: string) =>
        await tx`select public.withdraw_credits(${id}, ${PRICE})`,
    ],
  ])("%s at once", async (_, call) => {
    const id = await people.signUp(2);
    await asService(shared.router, (tx) => call(tx, id));
    expect(await people.waitingFor(id)).toEqual([]);
    expect(await people.accountOf(id)).toMatchObject({
      balance: people.welcome - PRICE,
    });
  });

  test("is answered 08006 while their shard is down, and reads what is on the others", async () => {
    const [id] = await Promise.all([people.signUp(3)]);
    const [team] = await accountsOf(shared.fleet);
    await asService(shared.router, async (tx) => {
      await tx`select public.create_team_account(${randomUUID()}, ${team!})`;
      await tx`select public.set_account_member(${team!}, ${id}, 'member')`;
    });
    await whileDown(async () => {
      const charge = asService(
        shared.router,
        (tx) => tx`select public.withdraw_credits(${id}, 1)`,
      );
      await expect(charge).rejects.toMatchObject({ code: "08006" });
      const seen = await people.reading(
        id,
        (tx) =>
          tx`select account_id as id from public.account_members where account_id = ${team!} and user_id = ${id}`,
      );
      expect(seen).toEqual([{ id: team }]);
    });
    await asService(
      shared.router,
      (tx) => tx`select public.withdraw_credits(${id}, 1)`,
    );
    expect(await people.accountOf(id)).toMatchObject({
      balance: people.welcome - 1,
    });
  });
});
