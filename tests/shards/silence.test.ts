import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { canRoute, useFleet, withLastAt } from "./fleet.ts";
import { openSilentHost } from "./silent_host.ts";

describe.skipIf(!canRoute)("a host that falls silent", () => {
  const shared = useFleet({ alone: true });

  test("ends what waits for it, and what asks it on an open connection, in seconds", async () => {
    const { fleet, accounts } = shared;
    const [account, last] = [accounts[3]!, fleet.shards.at(-1)!];
    const host = await openSilentHost(Number(new URL(last.url).port));
    const shard = postgres(last.url, { max: 2 });
    const sessions = Array.from(
      { length: 3 },
      () =>
        postgres(fleet.router, { max: 1, prepare: false, onnotice: () => {} }),
    );
    const call = (sql: postgres.Sql) =>
      sql`select balance from public.grant_credits(${account}, 1)`;
    const read = (sql: postgres.Sql) =>
      sql`select balance from public.credit_accounts where id = ${account}`;
    const [waiting, calling, reading] = sessions as [
      postgres.Sql,
      postgres.Sql,
      postgres.Sql,
    ];
    try {
      await withLastAt(fleet, { port: host.port, reads: true }, async () => {
        await Promise.all([call(waiting), call(calling), read(reading)]);
        await shard.begin(async (holder) => {
          await holder`select from public.credit_accounts where id = ${account} for update`;
          const waits = outcomeOf(call(waiting));
          await expect.poll(() =>
            shard`select from pg_stat_activity where usename = ${fleet.user}
              and wait_event_type = 'Lock' and datname = current_database()`
          ).toHaveLength(1);
          await host.fallSilent();
          const ended = await Promise.all([
            waits,
            outcomeOf(call(calling)),
            outcomeOf(read(reading)),
          ]);
          expect(ended.map(({ code }) => code))
            .toEqual(["08006", "08006", "08001"]);
          // A read tries a new connection for three seconds more.
          for (const { seconds } of ended) {
            expect(seconds).toBeLessThan(fleet.seconds);
          }
        });
      });
      for (const sql of sessions) expect(await call(sql)).toHaveLength(1);
    } finally {
      host.close();
      await Promise.all(
        [shard, ...sessions].map((sql) => sql.end({ timeout: 1 })),
      );
    }
  });
});

async function outcomeOf(query: PromiseLike<unknown>) {
  const startedAt = Date.now();
  const code = await query.then(() => "", ({ code }) => code as string);
  return { code, seconds: (Date.now() - startedAt) / 1000 };
}
