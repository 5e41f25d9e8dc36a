-- Which shards a user's reads ask: found when a query is planned, and refused for whom no shard answers.

create function credits_router.places_of_caller()
returns uuid[]
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select array(select auth.uid() where auth.uid() is not null
    union select account_id from credits_router.memberships where user_id = auth.uid() order by 1)
$$;
comment on function credits_router.places_of_caller() is
  'Accounts that the caller may have, to say which shards are asked; my_account_ids says which of them they have.';

create function credits_router.ping(p_slot integer)
returns integer
language plproxy
as $$
  cluster 'credits';
  run on p_slot;
  select 1;
$$;
comment on function credits_router.ping(integer) is 'Raises an outage where the shard of a slot answers no call.';

create function credits_router.one_answers(p_places uuid[])
returns boolean
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  shard text;
  slot integer;
begin
  for shard, slot in
    select s.shard, s.slot from credits_router.shards as s
    where s.shard in (select credits_router.shard_of(a.id) from unnest(p_places) as a (id))
  loop
    begin
      perform credits_router.ping(slot);
      return true;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      elsif credits_router.can_read(shard) then
        return true;
      end if;
    end;
  end loop;
  return false;
end;
$$;
comment on function credits_router.one_answers(uuid[]) is 'Whether any shard answers on which these accounts are.';

create function credits_router.my_places()
returns uuid[]
language plpgsql
immutable
security definer
set search_path = '', pg_temp
as $$
declare
  places constant uuid[] := credits_router.places_of_caller();
begin
  -- Once in a transaction: it is asked for each mention.
  if places <> '{}' and current_setting('credits_router.answered', true) is distinct from places::text then
    if not credits_router.one_answers(places) then
      perform credits_router.raise_outage();
    end if;
    perform set_config('credits_router.answered', places::text, true);
  end if;
  return places;
end;
$$;
comment on function credits_router.my_places() is
  'places_of_caller, called immutable so that it is an array when a query is planned: Postgres then leaves out the shards '
  'that have none of them, also one that does not answer. planned_for refuses a plan that was kept for somebody else. '
  'Raises 08006 where no shard answers that has any: postgres_fdw would name its server and address.';

create function credits_router.planned_for(p_places uuid[])
returns boolean
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  if p_places is distinct from credits_router.places_of_caller() then
    raise exception using errcode = '0A000', message = 'this plan was kept for another caller',
      hint = 'Send queries without prepared statements: db-prepared-statements = false of PostgREST.';
  end if;
  return true;
end;
$$;
comment on function credits_router.planned_for(uuid[]) is
  'Raises 0A000 where a prepared statement''s plan was made for another caller: it would leave out this one''s rows.';

alter function credits_router.places_of_caller() owner to credits_router;
alter function credits_router.ping(integer) owner to credits_router;
alter function credits_router.one_answers(uuid[]) owner to credits_router;
alter function credits_router.my_places() owner to credits_router;
alter function credits_router.planned_for(uuid[]) owner to credits_router;
