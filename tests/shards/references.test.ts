import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Shard } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { redirectSql } from "../../scripts/shards/servers.ts";
import {
  accountsOf,
  asService,
  canRoute,
  useFleet,
  whileDown,
} from "./fleet.ts";

describe.skipIf(!canRoute)("an external_ref past one database", () => {
  const shared = useFleet({ alone: true });

  const grant = (id: string, ref: string) =>
    asService(
      shared.router,
      (tx) =>
        tx`select public.grant_credits(p_account_id => ${id}, p_amount => 5, p_external_ref => ${ref})`,
    )
      .then(() => "granted", (error) => error.code as string);

  /** A new one that the shards of these slot groups list: a group and its neighbour. */
  const refOf = async (group: number) => {
    const [row] = await shared
      .router`select ref from (select gen_random_uuid()::text as ref
        from generate_series(1, 2000)) as r
      where credits.slot_group(credits.ref_home(ref)) = ${group} limit 1`;
    return row!.ref as string;
  };
  const task = () => shared.router`select credits_router.deliver_references()`;
  const waiting = (ref: string) =>
    shared
      .router`select from credits_router.references_waiting where external_ref = ${ref}`;

  test("is one account's, on whichever shard, also while the shard that lists it is down", async () => {
    const [, , one] = shared.accounts as [string, string, string];
    const other = randomUUID();
    const known = randomUUID();
    expect([
      await grant(one, known),
      await grant(one, known),
      await grant(other, known),
    ])
      .toEqual(["granted", "granted", "PT409"]);
    const [{ ref }] = await shared
      .router`select ref from (select gen_random_uuid()::text as ref
        from generate_series(1, 200)) as r
      where credits_router.shard_of(credits.ref_home(ref)) = 's3' limit 1` as unknown as [
      { ref: string },
    ];
    const [{ near }] = await shared
      .router`select near from (select gen_random_uuid() as near
        from generate_series(1, 200)) as n
      where credits_router.shard_of(near) = 's0' limit 1` as unknown as [
      { near: string },
    ];
    const [{ ref: booked }] = await shared
      .router`select ref from (select gen_random_uuid()::text as ref
        from generate_series(1, 200)) as r
      where credits_router.shard_of(credits.ref_home(ref)) = 's3' limit 1` as unknown as [
      { ref: string },
    ];
    expect(await grant(one, booked)).toBe("granted");
    const answers = await whileDown(
      async () => [
        await grant(one, ref),
        await grant(near, ref),
        await grant(near, booked),
        await grant(one, booked),
      ],
    );
    expect(answers).toEqual(["granted", "PT409", "PT409", "granted"]);
    await shared.router`select credits_router.deliver_references()`;
    expect(await shared.router`select from credits_router.references_waiting`)
      .toHaveLength(0);
    expect([await grant(near, ref), await grant(one, ref)]).toEqual([
      "PT409",
      "granted",
    ]);
    const [listed] = await onDatabase(
      shared.fleet.shards[3]!.url,
      (sql) =>
        sql`select account_id from credits.external_refs where external_ref = ${ref}`,
    );
    expect(listed!.account_id).toBe(one);
  });

  test("stays one account's while the shard of that account is down", async () => {
    const far = (await accountsOf(shared.fleet))[3]!;
    const [{ ref, near }] = await shared
      .router`select ref, near from (select gen_random_uuid()::text as ref, gen_random_uuid() as near
        from generate_series(1, 1000)) as r
      where credits_router.shard_of(credits.ref_home(ref)) = 's0' and credits_router.shard_of(near) = 's0'
      limit 1` as unknown as [{ ref: string; near: string }];
    expect(await grant(far, ref)).toBe("granted");
    // Nobody can say whether it was booked: to be repeated.
    expect(await whileDown(() => grant(near, ref))).toBe("08006");
    expect(await grant(near, ref)).toBe("PT409");
  });

  test("that an account of the shard that lists it has booked stays its own while that one shard is down", async () => {
    const [near, , , far] = await accountsOf(shared.fleet) as [
      string,
      string,
      string,
      string,
    ];
    const ref = await refOf(3);
    expect(await grant(far, ref)).toBe("granted");
    // Its neighbour on another shard knows whose it is, and nobody whether it was booked.
    expect(await whileDown(() => grant(near, ref))).toBe("08006");
    expect(await grant(near, ref)).toBe("PT409");
    expect(await waiting(ref)).toHaveLength(0);
  });

  test("that the neighbour could not list is listed there later", async () => {
    const [near, other] = await accountsOf(shared.fleet) as [string, string];
    // Group 2 lists it; its neighbour 3 is on the last shard.
    const ref = await refOf(2);
    const answers = await whileDown(async () => [
      await grant(near, ref),
      await grant(other, ref),
    ]);
    expect(answers).toEqual(["granted", "PT409"]);
    expect(await waiting(ref)).toHaveLength(1);
    await task();
    expect(await waiting(ref)).toHaveLength(0);
    const [listed] = await onDatabase(
      shared.fleet.shards[3]!.url,
      (sql) =>
        sql`select account_id from credits.external_refs where external_ref = ${ref}`,
    );
    expect(listed!.account_id).toBe(near);
  });

  test("that was used in a transaction that is undone stays its own while one shard after the other is down", async () => {
    const { fleet, router } = shared;
    const [one, other] = await accountsOf(fleet) as [string, string];
    const ref = await refOf(2);
    const undone = whileDown(() =>
      router.begin(async (tx) => {
        await tx`select public.grant_credits(p_account_id => ${one}, p_amount => 5, p_external_ref => ${ref})`;
        throw new Error("undone");
      })
    );
    await expect(undone).rejects.toThrow("undone");
    const send = (shards: readonly Shard[]) =>
      onDatabase(fleet.router, (sql) => sql.unsafe(redirectSql({ shards })));
    await send(
      fleet.shards.map((shard) =>
        shard.name === "s2"
          ? { ...shard, through: "postgresql://127.0.0.1:1/s2" }
          : shard
      ),
    );
    const answers = [await grant(other, ref), await grant(one, ref)];
    await send(fleet.shards);
    expect(answers).toEqual(["PT409", "granted"]);
  });

  test("of a transfer is one sender's, in whichever way it is sent", async () => {
    const [one, other, third] = await accountsOf(shared.fleet) as [
      string,
      string,
      string,
    ];
    const send = (
      name: "transfer_send" | "transfer_credits",
      from: string,
      ref: string,
    ) =>
      asService(
        shared.router,
        (tx) => tx`select public.${tx(name)}(${from}, ${third}, 1, ${ref})`,
      ).then(() => "sent", (error) => error.code as string);
    for (const id of [one, other]) {
      for (const _ of [1, 2, 3]) await grant(id, randomUUID());
    }
    const [near, beside] = await accountsOf(shared.fleet) as [string, string];
    const sendBatch = (from: string, ref: string) =>
      asService(
        shared.router,
        (tx) =>
          tx`select * from public.transfer_credits_batch(${
            JSON.stringify([{
              from_account_id: from,
              to_account_id: from === one ? near : beside,
              amount: 1,
              external_ref: ref,
            }])
          }::text::jsonb)`,
      ).then(() => "sent", (error) => error.code as string);
    const ways = [
      (from: string, ref: string) => send("transfer_send", from, ref),
      (from: string, ref: string) => send("transfer_credits", from, ref),
      sendBatch,
    ];
    for (const way of ways) {
      for (const again of ways) {
        const ref = randomUUID();
        expect(
          [await way(one, ref), await again(other, ref)],
          `${ways.indexOf(way)}, ${ways.indexOf(again)}`,
        ).toEqual(["sent", "PT409"]);
      }
    }
    // What was only sent.
    await onDatabase(
      shared.fleet.shards[0]!.url,
      (sql) =>
        sql`update public.credit_transfers_sent set next_attempt_at = now() where next_attempt_at is not null`,
    );
    await shared.router`select credits_router.finish_transfers()`;
  });

  test("of a payment is one account's: what was granted to another under its key is not granted twice", async () => {
    const [buyer, other] = await accountsOf(shared.fleet) as [string, string];
    const [pack, customer, key] = [1, 2, 3].map(() => randomUUID());
    await asService(shared.router, async (tx) => {
      await tx`select public.set_product('stripe', false, ${`p${pack}`}, ${
        JSON.stringify({
          provider_price_id: pack,
          kind: "pack",
          credits: 70,
          unit_amount: 1000,
          currency: "usd",
        })
      }::text::jsonb)`;
      await tx`select public.link_payment_customer(${buyer}, 'stripe', false, ${customer!})`;
    });
    const book = (account?: string) =>
      asService(
        shared.router,
        (tx) =>
          tx`select (public.book_payment(${
            JSON.stringify({
              provider: "stripe",
              livemode: false,
              key: `stripe:cs:${key}`,
              kind: "pack",
              customer,
              account_id: account,
              lines: [{ price_id: pack }],
              status: "paid",
              amount: 1000,
              currency: "usd",
              created_at: "2026-01-02",
            })
          }::text::jsonb)).outcome`,
      ).then(([row]) => row!.outcome as string, (error) => error.code);
    expect(await grant(other, `stripe:cs:${key}`)).toBe("granted");
    expect([await book(), await book(buyer)]).toEqual(["PT409", "PT409"]);
  });

  test("that no shard of two can tell of is refused to all", async () => {
    const [near] = await accountsOf(shared.fleet) as [string];
    const ref = await refOf(3);
    const refused = asService(shared.router, async (tx) => {
      // As if both had not answered the router's task.
      await tx`select set_config('credits_router.silent', 's2 s3', true)`;
      await tx`select public.grant_credits(p_account_id => ${near}, p_amount => 5, p_external_ref => ${ref})`;
    });
    await expect(refused).rejects.toMatchObject({ code: "08006" });
    expect(await grant(near, ref)).toBe("granted");
  });

  test("names a provider's customer, who is one account", async () => {
    const [one, other] = await accountsOf(shared.fleet) as [string, string];
    const customer = `cus_${randomUUID()}`;
    const link = (account: string) =>
      asService(
        shared.router,
        (tx) =>
          tx`select public.link_payment_customer(${account}, 'stripe', false, ${customer}) as id`,
      ).then(([row]) => row!.id as string, (error) => error.message as string);
    expect([await link(one), await link(one), await link(other)]).toEqual([
      customer,
      customer,
      "this customer is another account's",
    ]);
  });
});
