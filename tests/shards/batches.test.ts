import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { useBatches } from "./batch.ts";
import { asService, canRoute, useFleet } from "./fleet.ts";

describe.skipIf(!canRoute)("a batch of transfers over several shards", () => {
  const shared = useFleet({ alone: true });
  const { open, batchOf, make, balancesOf, inFlight, close } = useBatches(
    shared,
  );

  test("is made in its order, with both balances after each, and once", async () => {
    const { one, two, near, second, last } = await open();
    const batch = batchOf(
      { from: one, to: second, amount: 10 },
      { from: one, to: near, amount: 5 },
      { from: two, to: second, amount: 3 },
      { from: near, to: last, amount: 4 },
      { from: one, to: second, amount: 10 },
    );
    const rows = [
      [one, second, 10, 90, 10],
      [one, near, 5, 85, 5],
      [two, second, 3, 97, 13],
      [near, last, 4, 1, 4],
      [one, second, 10, 75, 23],
    ].map((
      [from_account_id, to_account_id, amount, from_balance, to_balance],
    ) => ({
      from_account_id,
      to_account_id,
      amount,
      from_balance,
      to_balance,
      replayed: false,
    }));
    expect(await make(batch)).toEqual(rows);
    const again = await make(batch);
    expect(again.map(({ replayed }) => replayed)).toEqual(
      Array(5).fill(true),
    );
    expect(await balancesOf(one, two, near, second, last))
      .toEqual([75, 97, 1, 23, 4]);
    expect(await inFlight()).toBe(0);
    // One of them alone is the same transfer.
    const [alone] = await asService(
      shared.router,
      (tx) =>
        tx`select * from public.transfer_credits(${one}, ${second}, 10, ${
          batch[0]!.external_ref
        })`,
    );
    expect(alone).toMatchObject({ replayed: true });
  });

  test("takes nothing where one of them cannot be made, and can be repeated once it can", async () => {
    const { one, second, third, last } = await open();
    const batch = batchOf(
      { from: one, to: second, amount: 60 },
      { from: one, to: third, amount: 60 },
      { from: one, to: last, amount: 1 },
    );
    await expect(make(batch)).rejects.toMatchObject({
      code: "PT402",
      message: "20 credits are missing for this transfer",
    });
    expect(await balancesOf(one, second, third)).toEqual([
      100,
      undefined,
      undefined,
    ]);
    await asService(
      shared.router,
      (tx) => tx`select public.grant_credits(${one}, 21)`,
    );
    await make(batch);
    expect(await balancesOf(one, second, third, last)).toEqual([0, 60, 60, 1]);
    expect(await inFlight()).toBe(0);
  });

  test("takes nothing for a recipient who is closed; what arrived before that stays repeatable", async () => {
    const { one, second, third } = await open();
    const batch = batchOf(
      { from: one, to: third, amount: 10 },
      { from: one, to: second, amount: 10 },
    );
    await make(batch);
    await close(second);
    expect((await make(batch)).map(({ replayed }) => replayed))
      .toEqual([true, true]);
    const more = batchOf(
      { from: one, to: third, amount: 10 },
      { from: one, to: second, amount: 10 },
    );
    await expect(make(more)).rejects.toMatchObject({
      code: "PT403",
      message: "an account of this transfer is closed",
    });
    expect(await balancesOf(one, second, third)).toEqual([80, 10, 10]);
    expect(await inFlight()).toBe(0);
  });

  test("gives back what a shard refuses later, and says so as often as it is repeated", async () => {
    const { one, second, third } = await open();
    const batch = batchOf(
      { from: one, to: second, amount: 10 },
      { from: one, to: third, amount: 10 },
    );
    await onDatabase(shared.fleet.shards[1]!.url, async (sql) => {
      await sql.unsafe(
        `create function public.refuses() returns trigger language plpgsql as $$
        begin raise exception 'not today'; end; $$;
        create trigger refuses before insert on public.credit_grants for each row
        when (new.account_id = '${second}') execute function public.refuses()`,
      );
    });
    try {
      for (let times = 0; times < 2; times++) {
        await expect(make(batch)).rejects.toMatchObject({
          code: "PT403",
          message: expect.stringContaining("this transfer came back"),
        });
      }
    } finally {
      await onDatabase(
        shared.fleet.shards[1]!.url,
        (sql) => sql`drop function public.refuses cascade`,
      );
    }
    expect(await balancesOf(one, third)).toEqual([90, 10]);
    expect(await inFlight()).toBe(0);
  });

  test("is made once by two at once, and beside another in which they are the other way round", async () => {
    const { one, two, second, third } = await open();
    const batch = batchOf(
      { from: one, to: second, amount: 10 },
      { from: two, to: third, amount: 10 },
    );
    const other = batchOf(
      { from: two, to: second, amount: 1 },
      { from: one, to: third, amount: 1 },
    );
    const made = await Promise.all(
      [batch, other, batch, other].map((transfers) => make(transfers)),
    );
    expect(
      made.flat().filter(({ replayed }) => !replayed),
    ).toHaveLength(4);
    expect(await balancesOf(one, two, second, third))
      .toEqual([89, 89, 11, 11]);
    expect(await inFlight()).toBe(0);
  });

  test("of senders of several shards is refused, and so is what is no batch", async () => {
    const { one, second, last } = await open();
    const both = batchOf(
      { from: one, to: last, amount: 1 },
      { from: second, to: last, amount: 1 },
    );
    await expect(make(both)).rejects.toMatchObject({ code: "0A000" });
    for (
      const wrong of [{}, [], [1], batchOf({ from: one, to: one, amount: 1 })]
    ) {
      await expect(make(wrong)).rejects.toMatchObject({ code: "22023" });
    }
    expect(await balancesOf(one)).toEqual([100]);
  });

  test("names an external_ref of another sender's in vain, wherever that one lives", async () => {
    const { one, second, last } = await open();
    const ref = randomUUID();
    await make(batchOf({ from: one, to: last, amount: 1, ref }));
    await asService(
      shared.router,
      (tx) => tx`select public.grant_credits(${second}, 10)`,
    );
    await expect(make(batchOf({ from: second, to: last, amount: 1, ref })))
      .rejects.toMatchObject({ code: "PT409" });
  });
});
