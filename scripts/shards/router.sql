create table credits_router.groups (
  number integer primary key,
  shard text not null
);
comment on table credits_router.groups is 'The shard of each group of slots; a group is the low 4 bits of a slot.';

-- What the router's functions call. They belong to credits_router, which alone may use the shards' connections.
create function credits_router.account_slot(p_account_id uuid)
returns integer
language sql
stable
as $$ select coalesce(credits.slot(p_account_id), 0) $$;
comment on function credits_router.account_slot(uuid) is
  'credits.slot; 0 for null, so that a shard refuses it in its own words.';

create function credits_router.job_slot(p_job_id uuid)
returns integer
language sql
stable
as $$ select coalesce(('x' || left(p_job_id::text, 4))::bit(16)::integer, 0) $$;
comment on function credits_router.job_slot(uuid) is
  'The slot of a job''s account: the first 4 digits of its id.';

create function credits_router.shard_of(p_account_id uuid)
returns text
language sql
stable
as $$ select shard from credits_router.groups where number = credits_router.account_slot(p_account_id) & 15 $$;
comment on function credits_router.shard_of(uuid) is 'The name of the shard on which an account lives.';

create function credits_router.check_same_shard(p_a uuid, p_b uuid)
returns void
language plpgsql
stable
as $$
begin
  if credits_router.shard_of(p_a) <> credits_router.shard_of(p_b) then
    raise exception using errcode = '0A000', message = 'the two accounts live on different shards',
      hint = 'Transfers between shards are not built yet.';
  end if;
end;
$$;
comment on function credits_router.check_same_shard(uuid, uuid) is
  'Raises 0A000 for accounts of two shards: sent to one of them, a transfer would open the other account there.';

create function credits_router.raise_again(p_state text, p_message text, p_detail text, p_hint text)
returns void
language plpgsql
as $$
declare
  is_outage constant boolean := p_state = 'XX000' and p_message like 'PL/Proxy function %';
  state constant text := case when is_outage then '08006' else p_state end;
  said constant text := case when is_outage then 'the database of this account cannot be reached'
    else regexp_replace(p_message, '^[^ ]+\(\d+\): \[[^]]*\] REMOTE ERROR: ', '') end;
  cause constant text := case when is_outage then '' else regexp_replace(p_detail, '^Remote detail: ', '') end;
  remedy constant text := case when is_outage then 'Repeat the call with the same arguments.'
    else regexp_replace(p_hint, '^Remote hint: ', '') end;
begin
  -- An empty detail or hint is said as one; only an option that is left out is none.
  if cause = '' and remedy = '' then
    raise exception using errcode = state, message = said;
  elsif cause = '' then
    raise exception using errcode = state, message = said, hint = remedy;
  elsif remedy = '' then
    raise exception using errcode = state, message = said, detail = cause;
  end if;
  raise exception using errcode = state, message = said, detail = cause, hint = remedy;
end;
$$;
comment on function credits_router.raise_again(text, text, text, text) is
  'Raises what a shard raised as if it had happened here; 08006 where the shard did not answer.';
