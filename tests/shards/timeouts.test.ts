import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { asService, canRoute, useFleet } from "./fleet.ts";

/** A call that waits for an account which somebody holds on the shard. */
describe.skipIf(!canRoute)("a call that its shard cancels", () => {
  const shared = useFleet();

  test("ends, each time, and the next one is answered", async () => {
    const { router, accounts, fleet } = shared;
    const account = accounts[1]!;
    const call = (ref: string) =>
      asService(
        router,
        async (tx) => {
          // As on the router, only shorter: PL/Proxy may wait until then for an answer that it has had.
          await tx`set local statement_timeout = '1s'`;
          return await tx`select * from public.grant_credits(p_account_id => ${account}, p_amount => 1,
            p_external_ref => ${ref})`;
        },
      );
    await call("first");
    const shard = postgres(fleet.shards[1]!.url, { max: 2 });
    try {
      for (let round = 0; round < 12; round++) {
        const startedAt = Date.now();
        const answer = await shard.begin(async (holder) => {
          await holder`select from public.credit_accounts where id = ${account} for update`;
          const called = call(`round:${round}`).catch((error) => error);
          await untilCanceled(shard);
          return await called;
        });
        expect(answer.code, `round ${round}`).toBe("57014");
        expect(answer.message).not.toMatch(/REMOTE|\[|grant_credits/);
        expect(Date.now() - startedAt).toBeLessThan(4_000);
        await call(`after:${round}`);
      }
    } finally {
      await shard.end({ timeout: 5 });
    }
  });

  test("has a limit on the router that comes before its limit between router and shard", async () => {
    const [limits] = await shared
      .router`select current_setting('statement_timeout') as statement,
      (select option_value::integer from pg_foreign_server as s, pg_options_to_table(s.srvoptions)
        where s.srvname = 'credits' and option_name = 'query_timeout') as query`;
    expect(limits).toEqual({ statement: "8s", query: 10 });
  });
});

/** Cancels what the router's role waits for. */
async function untilCanceled(shard: postgres.Sql): Promise<void> {
  for (;;) {
    const canceled =
      await shard`select pg_cancel_backend(pid) from pg_stat_activity
      where usename = 'credits_router' and datname = current_database() and wait_event_type = 'Lock'`;
    if (canceled.length > 0) return;
    await sleep(5);
  }
}
