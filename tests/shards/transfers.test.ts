import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { asService, canRoute, lastShard, useFleet } from "./fleet.ts";

describe.skipIf(!canRoute)("a transfer between shards", () => {
  const shared = useFleet({ alone: true });

  const grant = (account: string) =>
    asService(
      shared.router,
      (tx) =>
        tx`select public.grant_credits(p_account_id => ${account}, p_amount => 100,
        p_external_ref => ${`transfers:${account}`})`,
    );
  const transfer = async (
    from: string,
    to: string,
    amount: number,
    ref: string,
  ) => {
    const [result] = await asService(
      shared.router,
      (tx) =>
        tx`select * from public.transfer_credits(${from}, ${to}, ${amount}, ${ref}, 'lunch')`,
    );
    return result!;
  };
  const balanceOf = async (account: string) => {
    const [row] = await asService(
      shared.router,
      (tx) =>
        tx`select balance from public.credit_accounts where id = ${account}`,
    );
    return Number(row?.balance ?? 0);
  };
  const inFlight = async () => {
    const [sum] = await shared
      .router`select coalesce(sum(in_flight), 0) as credits,
      sum(moved + in_flight + arrived - received) as lost from public.credit_transfer_totals`;
    expect(Number(sum!.lost)).toBe(0);
    return Number(sum!.credits);
  };

  test("moves credits once, and says what is missing as on one database", async () => {
    const [from, to] = shared.accounts as [string, string];
    await grant(from);
    const ref = randomUUID();
    expect(await transfer(from, to, 40, ref)).toMatchObject({
      from_balance: "60",
      to_balance: "40",
      amount: "40",
      replayed: false,
    });
    expect(await transfer(from, to, 40, ref)).toMatchObject({
      from_balance: "60",
      to_balance: "40",
      replayed: true,
    });
    const refused = await transfer(from, to, 61, randomUUID()).catch((error) =>
      error
    );
    expect(refused.code).toBe("PT402");
    const misuse = await transfer(from, to, -1, randomUUID()).catch((error) =>
      error
    );
    expect(misuse.code).toBe("22023");
    expect([await balanceOf(from), await balanceOf(to)]).toEqual([60, 40]);
    expect(await inFlight()).toBe(0);
  });

  test("that broke off is in flight, and the task ends it", async () => {
    const [from, , , to] = shared.accounts as [string, string, string, string];
    const ref = randomUUID();
    await lastShard("stop");
    const refused = await transfer(from, to, 10, ref).catch((error) => error);
    expect(refused.code).toBe("08006");
    expect(await balanceOf(from)).toBe(50);
    await lastShard("start");
    expect(await inFlight()).toBe(10);
    await onDatabase(
      shared.fleet.shards[0]!.url,
      (sql) =>
        sql`update public.credit_transfers_sent set next_attempt_at = now() where next_attempt_at is not null`,
    );
    const [finished] = await shared
      .router`select credits_router.finish_transfers() as transfers`;
    expect(finished!.transfers).toBe(1);
    expect(await transfer(from, to, 10, ref)).toMatchObject({ replayed: true });
    expect([await balanceOf(from), await balanceOf(to), await inFlight()])
      .toEqual([50, 10, 0]);
    expect(
      await shared.router`select from credits_router.transfer_discrepancies`,
    ).toHaveLength(0);
  });
});
