-- Whose calls about a team's account are, where no argument says so: their shard may have to hear first that they left.

create function credits_router.member_of_key(p_account_id uuid, p_app_key_id uuid)
returns uuid
language plpgsql
as $$
begin
  -- A round trip, only where somebody's leaving waits for that shard.
  if exists (select from credits.handovers
      where slot_group = credits_router.account_slot(p_account_id) & 15 and kind <> 'join') then
    return (select member_id from public.credit_app_keys where account_id = p_account_id and id = p_app_key_id);
  end if;
  return null;
end;
$$;
comment on function credits_router.member_of_key(uuid, uuid) is
  'Whose an app key is, where that may matter before a call by it; null: of no member, or nobody has left.';

create function credits_router.members_of(p_requests jsonb)
returns setof uuid
language sql
immutable
as $$
  select distinct (r.value ->> 'member_id')::uuid
  from jsonb_array_elements(case jsonb_typeof(p_requests) when 'array' then p_requests else '[]' end) as r
  where r.value ->> 'member_id' ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'
$$;
comment on function credits_router.members_of(jsonb) is
  'Who asks in a batch of charges; of what is no request, the shard says so.';

alter function credits_router.member_of_key owner to credits_router;
alter function credits_router.members_of owner to credits_router;
