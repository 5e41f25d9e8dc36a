import type { Shard } from "./config.ts";
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

/** @throws where rows refer to users of a shard: a copy has none, and could not be ended */
export async function checkReferences({ name, url }: Shard): Promise<void> {
  const referring = await onDatabase(url, async (sql) => {
    const keys = await sql<{ name: string; table: string; is_set: string }[]>`
      select quote_ident(k.conname) as name, k.conrelid::regclass::text as table,
        (select string_agg(format('%I is not null', a.attname), ' and ') from pg_attribute as a
          where a.attrelid = k.conrelid and a.attnum = any (k.conkey)) as is_set
      from pg_constraint as k join pg_class as c on c.oid = k.conrelid join pg_class as u on u.oid = k.confrelid
      where k.contype = 'f' and k.conparentid = 0 and u.relnamespace = 'auth'::regnamespace
        and c.relnamespace <> 'auth'::regnamespace
      order by 2, 1`;
    const found = [];
    for (const key of keys) {
      const rows = await sql.unsafe(
        `select from ${key.table} where ${key.is_set} limit 1`,
      );
      if (rows.length > 0) found.push(key);
    }
    return found;
  });
  if (referring.length > 0) {
    const drops = referring.map(({ name, table }) =>
      `alter table ${table} drop constraint ${name}`
    );
    throw new Error(
      `${name}: rows refer to its own users, who are not copied, as users live on the router. Move those tables there, or: ${
        drops.join("; ")
      }. Then run the same command again`,
    );
  }
}
