import postgres, { type Sql } from "postgres";
import {
  createDatabase,
  startTestDatabase,
  type TestDatabaseOptions,
  withDatabase,
} from "../../scripts/test/database.ts";

/** A migration of an adopter's own, numbered by hand as the chapters are, and recorded as supabase db push does. */
export const OWN_MIGRATION = `
  create table public.invoices (id bigint primary key);
  create function public.invoice_total() returns bigint language sql as 'select count(*) from public.invoices';
  revoke all on function public.invoice_total() from public;
  create schema if not exists supabase_migrations;
  create table if not exists supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
  insert into supabase_migrations.schema_migrations (version, name, statements) values ('20260101000050', 'init', array[
    'create table public.invoices (id bigint primary key)',
    'create function public.invoice_total() returns bigint language sql as ''select count(*) from public.invoices''',
    'revoke all on function public.invoice_total() from public']);
`;

/** A database of its own on a shared throw-away server. */
export interface FreshDatabase {
  /** Connects as postgres. */
  readonly url: string;
  /** One connection, so that a script may begin and end transactions. */
  readonly sql: Sql;
}

/** A server whose databases are copies of its own. */
export interface DatabaseServer {
  readonly create: () => Promise<FreshDatabase>;
  /** Copies a database as it is now. Its connection is closed: it has served its purpose. */
  readonly copy: (original: FreshDatabase) => Promise<FreshDatabase>;
  readonly stop: () => Promise<void>;
}

/** Starts a throw-away server that makes databases as a Supabase project is, before migrations unless told. */
export async function startDatabaseServer(
  options?: TestDatabaseOptions,
): Promise<DatabaseServer> {
  const server = await startTestDatabase(options);
  const opened: Sql[] = [];
  const create = async (template?: string) => {
    const name = `fresh_${opened.length + 1}`;
    await createDatabase(server, name, template);
    const url = withDatabase(server.url, name);
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    opened.push(sql);
    return { url, sql };
  };
  const copy = async ({ url, sql }: FreshDatabase) => {
    await sql.end({ timeout: 5 });
    return await create(new URL(url).pathname.slice(1));
  };
  const stop = async () => {
    await Promise.all(opened.map((sql) => sql.end({ timeout: 5 })));
    await server.stop();
  };
  return { create: () => create(), copy, stop };
}
