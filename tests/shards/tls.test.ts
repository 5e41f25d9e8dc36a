import { describe, expect, test } from "vitest";
import { findDifferences } from "../../scripts/shards/check.ts";
import { type Fleet, readerOf } from "../../scripts/shards/config.ts";
import { dumpSchema } from "../../scripts/shards/dump.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { initRouter } from "../../scripts/shards/init.ts";
import { asService, canRoute, useFleet } from "./fleet.ts";
import { withTls } from "./tls.ts";

describe.skipIf(!canRoute)("TLS between router, shards and operator", () => {
  const shared = useFleet({ alone: true });

  test("is what the URLs say, for calls, reads, prices and the command itself", async () => {
    const { fleet, accounts } = shared;
    const servers = [fleet.router, fleet.shards.at(-1)!.url];
    const call = () =>
      asService(
        shared.router,
        (tx) => tx`select public.grant_credits(${accounts[3]!}, 1)`,
      ).then(() => "granted", ({ code }) => code as string);
    const read = () =>
      asService(
        shared.router,
        (tx) =>
          tx`select from public.credit_accounts where id = ${accounts[3]!}`,
      ).then((rows) => `${rows.length} row`, ({ code }) => code as string);
    await withTls(servers, async ({ ca, stranger }) => {
      try {
        const open = await say(fleet, "sslmode=disable");
        expect([await call(), await read()]).toEqual(["granted", "1 row"]);
        expect(await connectionsTo(open)).toEqual({ calls: "", reads: "" });

        const safe = await say(fleet, `sslmode=verify-full&sslrootcert=${ca}`);
        expect([await call(), await read()]).toEqual(["granted", "1 row"]);
        expect(await connectionsTo(safe))
          .toEqual({ calls: "TLSv1.3", reads: "TLSv1.3" });
        await expect.poll(() => streams(safe), { timeout: 10_000 })
          .toEqual(["TLSv1.3"]);
        expect(await findDifferences(safe)).toEqual([]);
        expect(await dumpSchema(safe.shards.at(-1)!.url)).not.toEqual([]);

        const old = await say(
          fleet,
          "sslmode=require&ssl_max_protocol_version=TLSv1.2",
        );
        expect([await call(), await read()]).toEqual(["granted", "1 row"]);
        expect(await connectionsTo(old))
          .toEqual({ calls: "TLSv1.2", reads: "TLSv1.2" });

        const other = `sslmode=verify-full&sslrootcert=${stranger}`;
        const wrong = withQuery(fleet, other).shards.at(-1)!;
        await expect(onDatabase(wrong.url, (sql) => sql`select`)).rejects
          .toThrow("certificate");
        await expect(dumpSchema(wrong.url)).rejects.toThrow("certificate");
        await say(fleet, other, { url: false });
        expect([await call(), await read()]).toEqual(["08006", "08001"]);
      } finally {
        await initRouter(fleet, () => {});
      }
    });
    expect([await call(), await read()]).toEqual(["granted", "1 row"]);
  });
});

/** A fleet whose router and last shard are reached with these parameters. */
function withQuery(fleet: Fleet, query: string, { url = true } = {}): Fleet {
  const told = (url: string) => url.replace(/\?.*/, `?${query}`);
  const shards = fleet.shards.map((shard, i) =>
    i < fleet.shards.length - 1 ? shard : {
      ...shard,
      url: url ? told(shard.url) : shard.url,
      through: told(shard.through),
    }
  );
  return { ...fleet, router: url ? told(fleet.router) : fleet.router, shards };
}

/** Has the router made by a file with these parameters. */
async function say(
  fleet: Fleet,
  query: string,
  told = { url: true },
): Promise<Fleet> {
  const changed = withQuery(fleet, query, told);
  await initRouter(changed, () => {});
  return changed;
}

/** The protocols of the router's connections to the last shard, of those that have called and read since. */
async function connectionsTo({ shards, user }: Fleet) {
  const reader = readerOf({ user });
  const rows = await onDatabase(
    shards.at(-1)!.url,
    (sql) =>
      sql`select distinct coalesce(t.version, '') as version, a.usename = ${reader} as reads
        from pg_stat_activity as a join pg_stat_ssl as t using (pid)
        where a.usename in (${user}, ${reader}) and a.datname = current_database()`,
  );
  const of = (isRead: boolean) =>
    rows.filter(({ reads }) => reads === isRead).map(({ version }) => version)
      .join(" and ");
  return { calls: of(false), reads: of(true) };
}

/** The protocols by which the shards follow the router. */
async function streams({ router }: Fleet): Promise<string[]> {
  const rows = await onDatabase(
    router,
    (sql) =>
      sql`select distinct coalesce(t.version, '') as version from pg_stat_replication as r join pg_stat_ssl as t using (pid)
        where r.application_name = 'credits_terms'`,
  );
  return rows.map(({ version }) => version as string);
}
