import { type Fleet, readerOf, type Shard } from "./config.ts";
import { withSecrets } from "./interface.ts";
import { literal } from "./sql.ts";

/**
 * The roles as which the router comes, with what the service may, and whom it calls for. One calls, and sees all rows.
 * The other reads: its policies show it all rows, too, and that there are policies makes Postgres compare with the
 * reader's accounts before it asks a filter of theirs, which could tell of a row that it sees.
 */
function admitSql({ user, password }: Fleet): string {
  const reader = readerOf({ user });
  const secret = password ? `password ${literal(password)}` : "";
  return `${rolesSql({ user })}
alter role ${user} login bypassrls ${secret};
alter role ${reader} login nobypassrls ${secret};
grant anon, authenticated, service_role, credits_auditor to ${user}, ${reader};
grant usage on schema public, credits to ${user}, ${reader};
-- By its hash, which the service may not read, the router finds whose an app's key is.
grant select (account_id, hash) on public.credit_app_keys to ${user}, ${reader};
-- Operators act through the router.
grant execute on function credits.operator_day(uuid), credits.operator_joins(uuid, text, bigint, bigint, text),
  credits.operator_muted(text, timestamptz, timestamptz, text, text) to ${user};
alter role ${user} set statement_timeout = 0;
alter role ${reader} set statement_timeout = 0;
-- What the router, or pgbouncer, waits for no longer is not done later.
alter role ${user} set client_connection_check_interval = '1s';
alter role ${reader} set client_connection_check_interval = '1s';
do $$
declare
  policed record;
begin
  for policed in
    select c.oid::regclass as name, p.oid is not null as is_open
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    left join pg_policy as p on p.polrelid = c.oid and p.polname = '${reader}'
    where n.nspname in ('public', 'credits') and c.relkind in ('r', 'p') and c.relrowsecurity
  loop
    continue when policed.is_open;
    execute format('create policy ${reader} on %s for select to ${reader} using (true)', policed.name);
  end loop;
end;
$$;`;
}

/** Makes the roles where they are not, without any right: a copy of a shard names them. */
export function rolesSql({ user }: Pick<Fleet, "user">): string {
  return [user, readerOf({ user })].map((role) =>
    `do $$
begin
  if to_regrole(${literal(role)}) is null then create role ${role}; end if;
end;
$$;`
  ).join("\n");
}

/**
 * Makes a database a shard that the router may call.
 *
 * @throws where it holds other groups than the file says: an old file would open accounts anew that moved away
 */
export async function admit(fleet: Fleet, shard: Shard): Promise<void> {
  await withSecrets(shard.url, async (sql) => {
    const [is] = await sql`select slot_groups::text as groups from credits.shard
      where slot_groups <> array(select unnest(${[
      ...shard.groups,
    ]}::integer[]) order by 1)`;
    if (is) {
      throw new Error(
        `${shard.name} holds the slot groups ${is.groups}: the file is another fleet's, or older than its last add`,
      );
    }
    await sql.unsafe(admitSql(fleet));
    await sql`select credits.become_shard(${shard.name}, ${[...shard.groups]})`;
  });
}
