import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { accountsOf, asService, type SharedFleet } from "./fleet.ts";

interface Order {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
  readonly ref?: string;
}

/** Batches of transfers through a router. */
export function useBatches(shared: SharedFleet) {
  /** Accounts of the first shard with 100 credits each, one without of the same shard, and one of each other. */
  const open = async () => {
    const [one, two, near] = await Promise.all(
      [1, 2, 3].map(async () => (await accountsOf(shared.fleet))[0]!),
    ) as [string, string, string];
    for (const account of [one, two]) {
      await asService(
        shared.router,
        (tx) => tx`select public.grant_credits(${account}, 100)`,
      );
    }
    const [, second, third, last] = await accountsOf(shared.fleet) as [
      string,
      string,
      string,
      string,
    ];
    return { one, two, near, second, third, last };
  };
  /** With refs, so that it can be repeated. */
  const batchOf = (...orders: Order[]) =>
    orders.map(({ from, to, amount, ref = randomUUID() }) => ({
      from_account_id: from,
      to_account_id: to,
      amount,
      external_ref: ref,
      reason: "lunch",
    }));
  const make = (transfers: unknown) =>
    asService(
      shared.router,
      (tx) =>
        tx`select from_account_id, to_account_id, amount::integer, from_balance::integer, to_balance::integer, replayed
        from public.transfer_credits_batch(${
          JSON.stringify(transfers)
        }::text::jsonb)`,
    ).then((rows) => [...rows]);
  const balancesOf = async (...accounts: string[]) =>
    await Promise.all(accounts.map(async (account) => {
      const [row] = await asService(
        shared.router,
        (tx) =>
          tx`select balance::integer from public.credit_accounts where id = ${account}`,
      );
      return row?.balance as number | undefined;
    }));
  /** What is on its way; and nothing is lost. */
  const inFlight = async () => {
    const [sum] = await shared
      .router`select coalesce(sum(in_flight), 0)::integer as credits,
      sum(moved + in_flight + arrived - received)::integer as lost from public.credit_transfer_totals`;
    expect(sum!.lost).toBe(0);
    expect(
      await shared.router`select from credits_router.transfer_discrepancies`,
    ).toHaveLength(0);
    return sum!.credits as number;
  };
  /** Closes an account of the second shard. */
  const close = (account: string) =>
    onDatabase(shared.fleet.shards[1]!.url, async (sql) => {
      await sql`insert into public.credit_accounts (id, closed_at) values (${account}, now())
        on conflict (id) do update set closed_at = now()`;
    });

  /** The task, for what broke off. */
  const finish = async () => {
    for (const { url } of shared.fleet.shards) {
      await onDatabase(
        url,
        (sql) =>
          sql`update public.credit_transfers_sent set next_attempt_at = now() where next_attempt_at is not null`,
      );
    }
    await shared.router`select credits_router.finish_transfers(1000)`;
  };

  return { open, batchOf, make, balancesOf, inFlight, close, finish };
}
