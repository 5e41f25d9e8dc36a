import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { accountsOf, as, asService, canRoute, useFleet } from "./fleet.ts";

/** Raises 22025 for each row that begins with "secret": what a filter may tell of rows that it sees. */
const TELLING = "secret\\";

describe.skipIf(!canRoute)("a user's filter", () => {
  const shared = useFleet();
  let fresh: postgres.Sql;
  /** Of one shard, and in teams on all: so their accounts are many to compare with. */
  let user: string;
  let stranger: string;

  beforeAll(async () => {
    if (!canRoute) return;
    const { router, fleet, accounts } = shared;
    user = accounts[0]!;
    [stranger] = await accountsOf(fleet) as [string];
    const teams = [...await accountsOf(fleet), ...await accountsOf(fleet)];
    await asService(router, async (tx) => {
      for (const team of teams) {
        await tx`select public.create_team_account(${user}, ${team})`;
      }
    });
    for (const [account, reason] of [[user, "mine"], [stranger, "secret 1"]]) {
      await asService(
        router,
        (tx) =>
          tx`select public.grant_credits(p_account_id => ${account!}, p_amount => 1000,
            p_external_ref => ${`filters:${account}`}, p_reason => ${reason!})`,
      );
    }
    // As where a table is small, or where Postgres thinks so.
    await planWith("off");
    fresh = postgres(fleet.router, { max: 1, prepare: false });
  });
  afterAll(async () => {
    if (!canRoute) return;
    await fresh?.end();
    await planWith("on");
  });

  const planWith = (indexes: string) =>
    onDatabase(
      shared.fleet.shards[0]!.url,
      (sql) =>
        sql.unsafe(`alter database s0 set enable_indexscan = ${indexes};
        alter database s0 set enable_bitmapscan = ${indexes}`),
    );

  test("says nothing of others' rows on the shard", async () => {
    const reasons = await as(
      fresh,
      "authenticated",
      user,
      (tx) =>
        tx`select reason from public.credit_ledger where reason like ${TELLING}`,
    );
    expect(reasons).toEqual([]);
  });

  test("tells what is theirs, in the words of one database", async () => {
    await asService(
      shared.router,
      (tx) =>
        tx`select public.grant_credits(p_account_id => ${user}, p_amount => 1,
          p_external_ref => ${`filters:own:${user}`}, p_reason => 'secret 2')`,
    );
    const refused = await as(
      fresh,
      "authenticated",
      user,
      (tx) =>
        tx`select reason from public.credit_ledger where reason like ${TELLING}`,
    ).catch((error) => error);
    expect(refused.code).toBe("22025");
  });
});
