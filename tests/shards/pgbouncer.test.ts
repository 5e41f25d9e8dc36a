import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { type Fleet, readerOf } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { hasPgBouncer } from "../support/pgbouncer.ts";
import { as, asService, canRoute, useFleet } from "./fleet.ts";
import { withPool } from "./pool.ts";

const POOL = 3;
const CLIENTS = 12;

describe.skipIf(!canRoute || !hasPgBouncer())(
  "pgbouncer between router and shards",
  () => {
    const shared = useFleet({ alone: true });

    test("is what keeps them few: without it each of the router's has one or two to each shard", async () => {
      for (const connections of await connectionsOfWork(shared)) {
        expect(connections).toBeGreaterThan(2 * POOL);
        expect(connections).toBeLessThanOrEqual(2 * CLIENTS);
      }
    });

    test("keeps few connections of many, and users see their own alone", async () => {
      const { fleet, accounts } = shared;
      await withPool(fleet, POOL, async () => {
        for (const connections of await connectionsOfWork(shared)) {
          expect(connections).toBeGreaterThan(0);
          expect(connections).toBeLessThanOrEqual(2 * POOL);
        }
      });
      expect(
        await asService(
          shared.router,
          (tx) =>
            tx`select seq from public.credit_ledger where account_id = ${accounts[
              0
            ]!}`,
        ),
      ).toHaveLength(30);
    });
  },
);

/** Calls and reads of many clients at once; resolves to how many connections each shard has while theirs are open. */
async function connectionsOfWork(
  { fleet, accounts }: { fleet: Fleet; accounts: readonly string[] },
): Promise<number[]> {
  const router = postgres(fleet.router, {
    max: CLIENTS,
    prepare: false,
    onnotice: () => {},
  });
  // Another file's may be about to end.
  const [begun] = await router`select clock_timestamp()::text as at`;
  try {
    await Promise.all(
      Array.from({ length: 120 }, (_, i) => work(router, accounts[i % 4]!, i)),
    );
    return await Promise.all(
      fleet.shards.map(({ url }) =>
        onDatabase(url, async (sql) => {
          const [used] =
            await sql`select count(*)::integer as connections from pg_stat_activity
            where usename in (${fleet.user}, ${
              readerOf(fleet)
            }) and datname = current_database() and backend_start > ${
              begun!.at
            }::timestamptz`;
          return used!.connections as number;
        })
      ),
    );
  } finally {
    await router.end({ timeout: 5 });
  }
}

async function work(
  router: postgres.Sql,
  account: string,
  n: number,
): Promise<void> {
  const [granted] = await asService(
    router,
    (tx) =>
      tx`select * from public.grant_credits(p_account_id => ${account}, p_amount => 1, p_external_ref => ${`pool:${account}:${n}`})`,
  );
  expect(granted!.account_id).toBe(account);
  const seen = await as(
    router,
    "authenticated",
    account,
    (tx) => tx`select distinct account_id from public.credit_ledger`,
  );
  expect(seen.map(({ account_id }) => account_id)).toEqual([account]);
}
