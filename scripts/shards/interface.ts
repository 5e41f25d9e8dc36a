import { readFile } from "node:fs/promises";
import postgres from "postgres";
import { optionsOfUrl } from "./address.ts";

/** A function that somebody may execute, as the catalog of a shard has it. */
export interface Routine {
  /** Such as public.grant_credits(uuid,bigint), with schemas. */
  readonly identity: string;
  readonly schema: string;
  readonly name: string;
  /** With names and defaults. */
  readonly arguments: string;
  /** With names alone. */
  readonly input: string;
  readonly result: string;
  readonly returns_set: boolean;
  readonly returns_void: boolean;
  readonly returns_row: boolean;
  readonly type: string;
  readonly volatility: "v" | "s" | "i";
  readonly names: readonly string[];
  readonly types: readonly string[];
  /** A statement_timeout of its own, or nothing. */
  readonly timeout: string;
  /** Whether end users or auditors may execute it: the shard must know who asks. */
  readonly for_users: boolean;
  /** Whether an operator moves credits by it: the shard must know what they moved today on the others. */
  readonly counts_for_day: boolean;
}

/** A view that each shard computes. */
export interface ShardView {
  readonly schema: string;
  readonly name: string;
  /** With types. */
  readonly columns: string;
}

/** What a shard offers. */
export function readInterface(url: string): Promise<Routine[]> {
  return readCatalog(url, "interface.sql");
}

/** The views of a shard that are not for users. */
export function readViews(url: string): Promise<ShardView[]> {
  return readCatalog(url, "views.sql");
}

/** What a sign-up and a deletion do: users live on the router. */
export async function readUserTriggers(url: string): Promise<string[]> {
  const triggers = await onDatabase(
    url,
    (sql) =>
      sql`select pg_get_triggerdef(t.oid) || ';' as sql
      from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
      where t.tgrelid = 'auth.users'::regclass and f.pronamespace = 'credits'::regnamespace order by t.tgname`,
  );
  return triggers.map(({ sql }) => sql);
}

async function readCatalog<T>(url: string, file: string): Promise<T[]> {
  const query = await readFile(new URL(file, import.meta.url), "utf8");
  return await onDatabase(
    url,
    async (sql) => [...await sql.unsafe<T[]>(query)],
  );
}

/** Runs an action on a connection of its own, where every name is written with its schema. */
export async function onDatabase<T>(
  url: string,
  action: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres({
    ...optionsOfUrl(url),
    max: 1,
    onnotice: () => {},
    connection: { search_path: "pg_catalog" },
  });
  try {
    return await action(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** As onDatabase, for statements with a password: a superuser's stand in no log and no statistics. */
export function withSecrets<T>(
  url: string,
  action: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  return onDatabase(url, async (sql) => {
    await sql.unsafe(UNLOGGED);
    return await action(sql);
  });
}

const UNLOGGED = `do $$
begin
  perform set_config(s.name, s.value, false)
  from (values ('log_statement', 'none'), ('log_min_error_statement', 'panic'), ('log_min_duration_statement', '-1'),
    ('pg_stat_statements.track', 'none')) as s (name, value);
exception when insufficient_privilege then
  null;
end;
$$;`;
