import { onDatabase } from "./interface.ts";

/**
 * What to do about users that a shard has had before there was a router. Nothing of a shard needs them, and who is
 * deleted on the router would still be found there by operators.
 *
 * @returns nothing where there are none
 */
export async function describeUsers(url: string): Promise<string | undefined> {
  const [had] = await onDatabase(
    url,
    (sql) =>
      sql`select (select count(*) from auth.users) as users, (
        -- All of Auth's at once, and none that refer to them from elsewhere, which cascade would empty, too.
        select string_agg(format('auth.%I', c.relname), ', ' order by c.relname) from pg_class as c
        where c.relnamespace = 'auth'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'schema_migrations'
          and not c.relispartition) as tables`,
  );
  const { users, tables } = had as unknown as { users: string; tables: string };
  return users === "0"
    ? undefined
    : `it has ${users} users of its own, and the router's are in use. Once Auth connects to the router, run there: truncate ${tables} (never delete: that closes their accounts)`;
}
