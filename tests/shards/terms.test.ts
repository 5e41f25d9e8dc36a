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
