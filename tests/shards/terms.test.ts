import { describe, expect, test } from "vitest";
import { findDifferences } from "../../scripts/shards/check.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { canRoute, useFleet } from "./fleet.ts";

describe.skipIf(!canRoute)("prices, plans and rules", () => {
  const shared = useFleet({ alone: true });

  test("changed on the router are those of every shard a moment later", async () => {
    const { router, fleet } = shared;
    await router`update public.credit_settings set low_balance_credits = low_balance_credits + 7`;
    const [told] =
      await router`select low_balance_credits as credits from public.credit_settings`;
    for (const { url, name } of fleet.shards) {
      await expect.poll(
        () =>
          onDatabase(
            url,
            async (sql) =>
              (await sql`select low_balance_credits as credits from public.credit_settings`)[
                0
              ]!.credits,
          ),
        {
          timeout: 10_000,
          message: name,
        },
      ).toBe(told!.credits);
    }
    expect(await findDifferences(fleet)).toEqual([]);
    await router`update public.credit_settings set low_balance_credits = low_balance_credits - 7`;
  });

  test("a plan that brings monthly credits does so on each shard from then on", async () => {
    const { router, fleet, accounts } = shared;
    const [account] = accounts;
    await router`insert into public.credit_plans (name, roll_over) values ('months', 'all')`;
    await expect.poll(
      () =>
        router`select from public.set_account_plan(${account!}, 'months')`.then(
          () => "moved",
          ({ message }) => message,
        ),
      { timeout: 10_000 },
    ).toBe("moved");
    await onDatabase(fleet.shards[0]!.url, async (shard) => {
      await shard`update public.credit_accounts set refilled_for = '2020-01-01' where id = ${account!}`;
      await router`update public.credit_plans set monthly_credits = 50 where name = 'months'`;
      await expect.poll(
        async () => {
          const [row] =
            await shard`select refilled_for > current_date - 70 as recent from public.credit_accounts where id = ${account!}`;
          return row!.recent;
        },
        { timeout: 10_000 },
      ).toBe(true);
    });
  });

  test("no service changes them on a shard", async () => {
    await onDatabase(shared.fleet.shards[0]!.url, async (shard) => {
      const change = shard.begin(async (tx) => {
        await tx`set local role service_role`;
        await tx`update public.credit_plans set monthly_credits = 50`;
      });
      await expect(change).rejects.toMatchObject({ code: "PT409" });
    });
  });

  test("a shard that no longer follows is named", async () => {
    const { fleet } = shared;
    const { url } = fleet.shards[1]!;
    await onDatabase(
      url,
      (sql) => sql`alter subscription credits_terms disable`,
    );
    const differences = await findDifferences(fleet);
    await onDatabase(
      url,
      (sql) => sql`alter subscription credits_terms enable`,
    );
    expect(differences).toEqual([{
      where: "s1",
      what: "it does not follow the router's prices, plans and rules",
    }]);
  });
});
