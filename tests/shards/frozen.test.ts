import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { pgbouncerIni } from "../../scripts/shards/pgbouncer.ts";
import { hasPgBouncer } from "../support/pgbouncer.ts";
import { canRoute, useFleet } from "./fleet.ts";
import { refsListedAt } from "./growing.ts";
import { whileFrozen } from "./frozen.ts";
import { withPool } from "./pool.ts";

/** What a call may take in pgbouncer here, in seconds. */
const LIMIT = 2;

describe.skipIf(!canRoute || !hasPgBouncer())(
  "a call through pgbouncer that its shard does not answer",
  () => {
    const shared = useFleet({ alone: true });

    /** Runs an action with one session of the router's that has called the last shard. */
    const onSession = (action: (sql: postgres.Sql) => Promise<void>) =>
      withPool(shared.fleet, 3, async () => {
        const sql = postgres(shared.fleet.router, {
          max: 1,
          prepare: false,
          onnotice: () => {},
        });
        await grant(sql, "warm");
        await action(sql).finally(() => sql.end({ timeout: 1 }));
      }, (ini) => ini.replace(/(?<=query_timeout = ).*/, String(LIMIT)));
    const grant = async (sql: postgres.Sql, kind: string) => {
      const account = shared.accounts[3]!;
      // Listed on another shard, which answers.
      const [ref] = await refsListedAt(shared.router, [0], kind);
      const [granted] =
        await sql`select * from public.grant_credits(${account}, 1, p_external_ref => ${ref!})`;
      return granted!;
    };
    const lateGrants = (sql: postgres.Sql) =>
      sql`select external_ref from public.credit_grants where account_id = ${shared
        .accounts[3]!} and external_ref like 'late-%'`;

    test("ends before the router's limit, after which nothing could end it", () => {
      const { fleet } = shared;
      expect(pgbouncerIni(fleet, 3)).toContain(
        `\nquery_timeout = ${fleet.seconds - 1}\n`,
      );
    });

    test("ends while its server is frozen, and its session goes on", async () => {
      const last = shared.fleet.shards.at(-1)!;
      await onSession(async (sql) => {
        await whileFrozen(last.url, async () => {
          const startedAt = Date.now();
          await expect(grant(sql, "frozen")).rejects
            .toMatchObject({ code: "08006" });
          expect(Date.now() - startedAt).toBeLessThan(
            shared.fleet.seconds * 1000,
          );
          // Without a reference, which might be listed on the frozen one.
          await sql`select public.grant_credits(${shared.accounts[0]!}, 1)`;
        });
        await expect.poll(
          () => grant(sql, "frozen").then(() => "made", ({ code }) => code),
          { timeout: 10_000 },
        ).toBe("made");
        expect((await grant(sql, "frozen")).replayed).toBe(true);
      });
    });

    test("is not made later, when what it waited for is free", async () => {
      const { url } = shared.fleet.shards.at(-1)!;
      const shard = postgres(url, { max: 2 });
      const waiting = () =>
        shard`select from pg_stat_activity where usename = ${shared.fleet.user} and wait_event_type = 'Lock'
          and datname = current_database()`;
      try {
        await onSession(async (sql) => {
          await shard.begin(async (holder) => {
            await holder`select from public.credit_accounts where id = ${shared
              .accounts[3]!} for update`;
            await expect(grant(sql, "late")).rejects
              .toMatchObject({ code: "08006" });
            await expect.poll(waiting, { timeout: 5_000 }).toEqual([]);
          });
          expect(await lateGrants(shard)).toEqual([]);
          expect((await grant(sql, "late")).replayed).toBe(false);
        });
      } finally {
        await shard.end({ timeout: 5 });
      }
    });

    test("may take a minute where it is a report", async () => {
      const { url, name } = shared.fleet.shards.at(-1)!;
      await onSession(async (sql) => {
        await onDatabase(url, (shard) =>
          shard.begin(async (holder) => {
            await holder`lock table public.credit_accounts`;
            const report = sql`select shard, unreachable
              from credits_router.each_reconcile_credit_ledger(true) where shard = ${name}`;
            const [answered] = await Promise.all([
              // For longer than a call may take.
              holder`select pg_sleep(${LIMIT + 1.5})`.then(() =>
                holder`rollback`
              ).then(() => report),
              report,
            ]);
            expect(answered).toEqual([{ shard: name, unreachable: false }]);
          }));
      });
    });
  },
);
