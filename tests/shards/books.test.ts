import type postgres from "postgres";
import { beforeAll, describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { asService, canRoute, useFleet, whileDown } from "./fleet.ts";

describe.skipIf(!canRoute)("the books of all shards", () => {
  const shared = useFleet({ alone: true });

  const reconcile = (deep: boolean) =>
    asService(
      shared.router,
      async (tx) =>
        (await tx`select * from public.reconcile_credit_ledger(${deep})`)[0]!,
    );

  beforeAll(async () => {
    if (!canRoute) return;
    for (const account of shared.accounts) {
      await asService(
        shared.router,
        (tx) => tx`select public.grant_credits(${account}, 1000)`,
      );
    }
  });

  test("are checked in one run: sums, and what differs on any", async () => {
    const [account] = shared.accounts.slice(-1);
    const onItsShard = (change: number) =>
      onDatabase(
        shared.fleet.shards.at(-1)!.url,
        (sql) =>
          sql`update public.credit_accounts set balance = balance + ${change}
          where id = ${account!}`,
      );
    const sound = await reconcile(true);
    await onItsShard(7);
    const { broken, found } = await asService(
      shared.router,
      async (tx) => ({
        broken: await reconcile(true),
        found: await tx`select * from public.reconciliation_discrepancies`,
      }),
    ).finally(() => onItsShard(-7));
    const others = found.filter(({ account_id }) => account_id !== account);
    expect([found.length > 0, others]).toEqual([true, []]);
    const [all] = await asService(
      shared.router,
      (tx) => tx`select count(*) as accounts from public.credit_accounts`,
    );
    expect(sound).toMatchObject({
      id: "0",
      deep: true,
      accounts_checked: all!.accounts,
      discrepancies: "0",
    });
    expect(Number(broken.discrepancies)).toBeGreaterThan(0);
    expect(broken.accounts_broken).toBe("1");
    expect((await reconcile(true)).discrepancies).toBe("0");
  });

  test("generations are counted over all, with percentiles of all", async () => {
    const jobs = (tx: postgres.TransactionSql, account: string) =>
      tx`select * from public.atomic_charge_credits(p_account_id => ${account},
        p_model => 'standard-image', p_input => '{"prompt": "a cat"}')`;
    const stats = () =>
      asService(
        shared.router,
        async (tx) =>
          (await tx`select * from public.get_generation_stats(1)`)[0]!,
      );
    const before = await stats();
    for (const account of shared.accounts) {
      await asService(shared.router, async (tx) => {
        const [job] = await jobs(tx, account);
        await tx`select public.settle_generation(${
          job!.job_id
        }, '{"outputs": []}')`;
      });
    }
    const after = await stats();
    expect(Number(after.total_jobs) - Number(before.total_jobs)).toBe(4);
    expect(Number(after.completed_jobs) - Number(before.completed_jobs))
      .toBe(4);
    expect(after.hours).toBe(1);
    const [seconds] = await asService(
      shared.router,
      (tx) =>
        tx`select percentile_disc(0.5) within group (order by round(extract(epoch from ended_at - created_at), 3)) as p50
          from public.generation_jobs where status = 'succeeded'`,
    );
    expect(after.p50_seconds).toBe(seconds!.p50);
    const misuse = await asService(
      shared.router,
      (tx) => tx`select public.get_generation_stats(0)`,
    ).catch((e) => e);
    expect(misuse.code).toBe("22023");
  });

  test("are not said to be in order while a shard is down, which is named", async () => {
    const stats = () =>
      asService(
        shared.router,
        (tx) => tx`select public.get_generation_stats(1)`,
      );
    const [run, generations] = await whileDown(
      async () => [
        await reconcile(false).catch((e) => e),
        await stats().catch((e) => e),
      ],
    );
    expect(run).toMatchObject({
      code: "08006",
      message: "no answer from s3",
      detail: expect.stringMatching(/^of the others: .*"discrepancies": 0/),
    });
    expect(generations).toMatchObject({
      code: "08006",
      message: "no answer from s3",
    });
  });
});
