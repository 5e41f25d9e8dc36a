import { addressOf } from "./address.ts";
import { maintenanceOf } from "./copy.ts";
import { type Fleet, readerOf, type Shard } from "./config.ts";
import { onDatabase } from "./interface.ts";

/** What a database needs of its server. */
interface Needs {
  readonly version: number;
  readonly roles: readonly string[];
  readonly extensions: readonly string[];
}

/** What a server lacks of it. */
interface Lacks extends Needs {
  /** The one database of the server that pg_cron may be in. */
  readonly cron: string | null;
}

/** @throws where a shard cannot be restored on a server: its writes would be stopped for a copy that cannot end */
export async function checkServer(
  { user }: Fleet,
  { name, url }: Shard,
  target: string,
): Promise<void> {
  const [needs] = await onDatabase(
    url,
    (sql) =>
      sql<
        [Needs]
      >`select current_setting('server_version_num')::integer / 10000 as version,
        array(select distinct r.rolname::text from pg_shdepend as s join pg_roles as r on r.oid = s.refobjid
          where s.refclassid = 'pg_authid'::regclass and s.dbid = d.oid or r.oid = d.datdba order by 1) as roles,
        array(select extname::text from pg_extension order by 1) as extensions
      from pg_database as d where d.datname = current_database()`,
  );
  const database = addressOf(target).dbname;
  const [lacks] = await onDatabase(
    maintenanceOf(target),
    (sql) =>
      sql<
        [Lacks]
      >`select current_setting('server_version_num')::integer / 10000 as version,
        array(select unnest(${[
        ...needs.roles,
      ]}::text[]) except select rolname from pg_roles order by 1) as roles,
        array(select unnest(${[...needs.extensions]}::text[])
          except select name from pg_available_extensions order by 1) as extensions,
        current_setting('cron.database_name', true) as cron`,
  );
  // Those of the router are made there.
  const made = [user, readerOf({ user })];
  const missing = [
    ...lacks.roles.filter((role) => !made.includes(role)).map((role) =>
      `lacks the role ${role}`
    ),
    ...lacks.extensions.map((extension) => `lacks the extension ${extension}`),
    ...(needs.extensions.includes("pg_cron") && lacks.cron !== database
      ? [
        `has cron.database_name = ${
          lacks.cron ?? "none"
        }, and pg_cron is needed in ${database}`,
      ]
      : []),
    ...(lacks.version === needs.version ? [] : [
      `is Postgres ${lacks.version}, and that of ${name} ${needs.version}`,
    ]),
  ];
  if (missing.length > 0) {
    throw new Error(
      `the new server ${
        missing.join(", ")
      }: see to that, and run the same command again`,
    );
  }
}
