import { spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import type postgres from "postgres";
import { addressOf, clientOf } from "./address.ts";
import { rolesSql } from "./admit.ts";
import type { Fleet, Shard } from "./config.ts";
import { onDatabase } from "./interface.ts";
import { readdressJobs } from "./schedule.ts";
import { literal } from "./sql.ts";

/** A database of the same server that is always there. */
export function maintenanceOf(url: string): string {
  const maintenance = new URL(url);
  maintenance.pathname = "/template1";
  return maintenance.href;
}

/** @throws where a transaction is prepared on a shard: what it commits after the copy would be lost */
export async function checkPrepared({ name, url }: Shard): Promise<void> {
  const prepared = await onDatabase(
    url,
    (sql) =>
      sql`select gid from pg_prepared_xacts where database = current_database() order by prepared`,
  );
  if (prepared.length > 0) {
    const ends = prepared.map(({ gid }) => `rollback prepared ${literal(gid)}`);
    throw new Error(
      `${name}: transactions are prepared, and might be committed after the copy. End them there (commit prepared, or ${
        ends.join("; ")
      }), and run the same command again`,
    );
  }
}

/**
 * New sessions of a shard cannot write, there are only new ones, and nothing is left to be committed.
 *
 * @throws where one does not end: what it commits after the copy would be lost
 */
export async function stopWrites(shard: Shard): Promise<void> {
  const { name, url } = shard;
  const left = await setReadOnly(url, true);
  if (left.length > 0) {
    throw new Error(
      `${name}: sessions do not end, and might still write (pid ${
        left.join(", ")
      }). End them, and run the same command again`,
    );
  }
  await checkPrepared(shard);
}

/** Undoes stopWrites. */
export async function admitWrites({ url }: Shard): Promise<void> {
  await setReadOnly(url, false);
}

/** @returns the older sessions that go on */
async function setReadOnly(url: string, is: boolean): Promise<number[]> {
  const { dbname } = addressOf(url);
  return await onDatabase(maintenanceOf(url), async (sql) => {
    await sql.unsafe(
      `alter database ${quoted(dbname)} ${
        is
          ? "set default_transaction_read_only = on"
          : "reset default_transaction_read_only"
      }`,
    );
    const [{ at }] = await sql`select now()::text as at` as unknown as [
      { at: string },
    ];
    const older = sql`from pg_stat_activity where datname = ${dbname}
      and backend_type = 'client backend' and backend_start <= ${at}::timestamptz`;
    // At least twice: one that was just starting is only seen then.
    for (let tries = 0;; tries++) {
      const left = await sql`select pid, pg_terminate_backend(pid) ${older}`;
      if (tries > 0 && left.length === 0 || tries === 30) {
        return left.map(({ pid }) => pid as number);
      }
      await sql`select pg_sleep(0.1)`;
    }
  });
}

/** Runs an action on a shard that takes no writes. */
export function writable<T>(
  { url }: Shard,
  action: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  return onDatabase(url, async (sql) => {
    await sql`set default_transaction_read_only = off`;
    return await action(sql);
  });
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Copies a database, from the beginning where an earlier copy did not end. */
export async function copyOnce(
  fleet: Fleet,
  from: Shard,
  to: Shard,
  say: (line: string) => void,
): Promise<void> {
  const { router } = fleet;
  const [{ step }] = await onDatabase(
    router,
    (sql) =>
      sql`select step from credits_router.moves where shard = ${to.name}`,
  ) as unknown as [{ step: string }];
  if (step !== "begun") return;
  const { owner, locale, settings } = await readDatabase(from.url);
  const database = quoted(addressOf(to.url).dbname);
  await onDatabase(maintenanceOf(to.url), async (sql) => {
    await sql.unsafe(`drop database if exists ${database} with (force)`);
    await sql.unsafe(
      `create database ${database} template template0 owner ${
        quoted(owner)
      } ${locale}`,
    );
    for (const setting of settings) {
      await sql.unsafe(`alter database ${database} set ${setting}`);
    }
  });
  await onDatabase(to.url, (sql) => sql.unsafe(rolesSql(fleet)));
  await dumpInto(from.url, to.url);
  await checkCopy(from, to);
  await readdressJobs(from, to);
  await onDatabase(
    router,
    (sql) =>
      sql`update credits_router.moves set step = 'copied' where shard = ${to.name}`,
  );
  say(`${to.name}: its database is copied`);
}

/** What pg_dump leaves out of a database. */
async function readDatabase(
  url: string,
): Promise<{ owner: string; locale: string; settings: string[] }> {
  const [database] = await onDatabase(
    url,
    (sql) =>
      sql`select pg_get_userbyid(datdba) as owner, array(
        select format('%s = %s', split_part(c, '=', 1),
          case when split_part(c, '=', 1) = 'search_path' then substr(c, strpos(c, '=') + 1)
            else quote_literal(substr(c, strpos(c, '=') + 1)) end)
        from pg_db_role_setting as s cross join unnest(s.setconfig) as c
        where s.setdatabase = d.oid and s.setrole = 0 and c not like 'default_transaction_read_only=%') as settings,
        -- The order of texts, too: the router merges what shards have sorted.
        format('encoding %L lc_collate %L lc_ctype %L', pg_encoding_to_char(encoding), datcollate, datctype)
          || case when datlocprovider = 'i' then format(' locale_provider icu icu_locale %L',
            coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale')) else '' end as locale
      from pg_database as d where datname = current_database()`,
  );
  return database as unknown as {
    owner: string;
    locale: string;
    settings: string[];
  };
}

/** pg_dump into psql: nothing lies on the operator's disk. */
async function dumpInto(from: string, to: string): Promise<void> {
  const [source, target] = [clientOf(from), clientOf(to)];
  const dump = spawn(
    "pg_dump",
    [
      "--no-subscriptions",
      "--no-publications",
      // Users live on the router.
      "--exclude-table-data=auth.*",
      source.argument,
    ],
    { stdio: ["ignore", "pipe", "inherit"], env: source.env },
  );
  const restore = spawn(
    "psql",
    ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", target.argument],
    { stdio: ["pipe", "ignore", "pipe"], env: target.env },
  );
  let said = "";
  restore.stderr.on("data", (text) => said += text);
  // Where psql ends early, its exit code says so.
  const copied = pipeline(dump.stdout, restore.stdin).catch(() => dump.kill());
  const [[dumped], [restored]] = await Promise.all([
    once(dump, "close"),
    once(restore, "close"),
  ]);
  await copied;
  if (dumped !== 0 || restored !== 0) {
    throw new Error(`the copy broke off: ${said.trim() || "pg_dump failed"}`);
  }
}

const COUNT = `select format('%I.%I', schemaname, tablename) as name,
    (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from only %I.%I', schemaname, tablename),
      false, true, '')))[1]::text as rows
  from pg_tables where schemaname in ('public', 'credits') order by 1`;

async function checkCopy(from: Shard, to: Shard): Promise<void> {
  const [wanted, copied] = await Promise.all(
    [from, to].map(({ url }) =>
      onDatabase(url, async (sql) => {
        const rows = await sql.unsafe(COUNT);
        return new Map(rows.map(({ name, rows }) => [name, rows]));
      })
    ),
  );
  for (const [name, rows] of wanted!) {
    if (copied!.get(name) !== rows) {
      throw new Error(
        `${name} has ${rows} rows, and ${copied!.get(name)} in the copy`,
      );
    }
  }
}
