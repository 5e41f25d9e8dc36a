import type postgres from "postgres";
import type { Shard } from "./config.ts";

/** A table whose rows are no account's, although they name one: an operator's chain would break. */
const WHOLE = ["operator_actions"];

/** Tables of people, who may be in teams of both shards: what has still to be done for them is done on each. */
const OF_PEOPLE = ["account_erasures"];

/** Deletes the accounts of other groups with all that is theirs, past the triggers that keep the books from it. */
export async function keep(
  sql: postgres.Sql,
  { name, groups }: Shard,
  isNew: boolean,
): Promise<void> {
  const tables = await sql<
    { name: string; key: string; is_elsewhere: string; goes: string }[]
  >`
    select format('%I.%I', n.nspname, c.relname) as name,
      a.attname::text as key,
      -- An external_ref stands where it is looked up, wherever its account lives.
      case c.relname when 'external_refs' then 'not credits.ref_groups(external_ref) && $1::integer[]'
        else format('credits.slot_group(%s) <> all ($1::integer[])', a.attname) end as is_elsewhere,
      -- What operators have decided is their history. What waits is decided once, where it is done.
      case c.relname when 'operator_approvals' then 'state = ''waiting''' else 'true' end as goes
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname in ('public', 'credits') and c.relkind = 'r' and a.atttypid = 'uuid'::regtype
      and (a.attname = 'account_id' or c.relname = 'credit_accounts' and a.attname = 'id'
        or c.relname = 'credit_transfers' and a.attname = 'from_account_id')
      and c.relname <> all (${[...WHOLE, ...OF_PEOPLE]})
    order by 1`;
  const guards = await sql<{ table: string; name: string }[]>`
    select t.tgrelid::regclass::text as table, quote_ident(t.tgname) as name
    from pg_trigger as t join pg_class as c on c.oid = t.tgrelid join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('public', 'credits') and t.tgenabled = 'A' and not t.tgisinternal and t.tgparentid = 0`;
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    for (const { table, name } of guards) {
      await tx.unsafe(`alter table ${table} disable trigger ${name}`);
    }
    for (const { name: table, key, is_elsewhere, goes } of tables) {
      await tx.unsafe(
        // What is nobody's stays on the old one.
        `delete from only ${table} where ${goes} and (${is_elsewhere} or ${key} is null and $2)`,
        [[...groups], isNew],
      );
    }
    for (const { table, name } of guards) {
      await tx.unsafe(`alter table ${table} enable always trigger ${name}`);
    }
    await tx`select credits.become_shard(${name}, ${[...groups]})`;
  });
}
