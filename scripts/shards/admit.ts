import type { Fleet, Shard } from "./config.ts";
import { onDatabase } from "./interface.ts";
import { literal } from "./sql.ts";

/** Lets the router in, as the role whose rights it needs: those of the service, and of whom it calls for. */
function admitSql({ user, password }: Fleet): string {
  const secret = password ? `password ${literal(password)}` : "";
  return `do $$
begin
  if to_regrole(${literal(user)}) is null then create role ${user}; end if;
end;
$$;
alter role ${user} login bypassrls ${secret};
grant anon, authenticated, service_role, credits_auditor to ${user};
grant usage on schema public, credits to ${user};
-- By its hash, which the service may not read, the router finds whose an app's key is.
grant select (account_id, hash) on public.credit_app_keys to ${user};
-- Operators act through the router.
grant execute on function credits.operator_day(uuid), credits.operator_joins(uuid, text, bigint, bigint, text),
  credits.operator_muted(text, timestamptz, timestamptz, text, text) to ${user};
alter role ${user} set statement_timeout = 0;`;
}

/**
 * Makes a database a shard that the router may call.
 *
 * @throws where it holds other groups than the file says: an old file would open accounts anew that moved away
 */
export async function admit(fleet: Fleet, shard: Shard): Promise<void> {
  await onDatabase(shard.url, async (sql) => {
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
