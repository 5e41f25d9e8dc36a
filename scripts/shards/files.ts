import { addressOf, tlsOf } from "./address.ts";
import type { Fleet } from "./config.ts";
import { literal, optionsOf } from "./sql.ts";

/** The role as which shards look at the router's Storage. */
const READER = "credits_files";

/**
 * Storage is the router's: its Auth and its policies decide who reads a file. Shards look at its tables, as their
 * tasks find files that nobody needs, and a request's upload is compared with what was announced.
 */
export function filesOnRouterSql({ password }: Fleet): string {
  const secret = password ? `password ${literal(password)}` : "";
  // A password may have dollar signs.
  return `do ${
    literal(`begin
  if to_regclass('storage.objects') is null then
    return;
  end if;
  if to_regrole('${READER}') is null then create role ${READER}; end if;
  alter role ${READER} login bypassrls ${secret};
  grant usage on schema storage to ${READER};
  grant select on storage.objects, storage.buckets to ${READER};
  perform credits.storage_set_up();
end;`)
  };`;
}

/** @throws on a shard where there are files: they would be out of sight */
export function filesOnShardSql({ router, password }: Fleet): string {
  const options = optionsOf({
    ...addressOf(router),
    ...tlsOf(router),
    connect_timeout: "3",
  });
  const login = optionsOf({
    user: READER,
    ...password ? { password } : { password_required: "false" },
  });
  return `do $$
begin
  if to_regclass('storage.objects') is not null and credits.keeps_files() then
    if exists (select from storage.objects) then
      raise exception '% has files of its own in Storage', current_database()
        using hint = 'Move them into the bucket of the router''s project first, and delete them here.';
    end if;
    alter schema storage rename to storage_of_this_shard;
  end if;
end;
$$;
create extension if not exists postgres_fdw schema extensions;
create schema if not exists storage;
grant usage on schema storage to postgres;
drop server if exists ${READER} cascade;
create server ${READER} foreign data wrapper postgres_fdw ${options};
create user mapping for public server ${READER} ${login};
create foreign table storage.objects (
  id uuid, bucket_id text, name text, metadata jsonb, created_at timestamptz, updated_at timestamptz
) server ${READER};
create foreign table storage.buckets (
  id text, public boolean, file_size_limit bigint, allowed_mime_types text[]
) server ${READER};
grant select on storage.objects, storage.buckets to postgres;`;
}
