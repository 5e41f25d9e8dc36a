-- An external_ref is one account's, on whichever shard: it is claimed before the grant.

create function credits_router.reference_refuse(p_kind text)
returns void
language plpgsql
as $$
begin
  perform credits.raise_misuse('PT409', case p_kind
      when 'grant' then 'this external_ref was granted before, to another account or with another amount'
      when 'withdrawal' then
        'this external_ref was withdrawn before, from another account or grant or with another amount'
      else 'this external_ref was transferred before, between other accounts or with another amount' end,
    'Use the id of the outside event, and on a retry the same account and amount.');
end;
$$;
comment on function credits_router.reference_refuse(text) is 'Raises PT409 as a shard does that knows the other account.';

create function credits_router.reference_claim_at(p_kind text, p_external_ref text, p_account_id uuid)
returns uuid
language plpgsql
as $$
declare
  home constant integer := credits_router.account_slot(credits.ref_home(p_external_ref));
  holder uuid := credits_router.claim_external_ref(home, p_kind, p_external_ref, p_account_id, null);
  is_booked boolean;
begin
  if holder = p_account_id then
    return holder;
  end if;
  begin
    perform credits_router.silent_check(credits_router.shard_of(holder));
    is_booked := credits_router.has_external_ref(credits_router.account_slot(holder), holder, p_kind, p_external_ref);
  exception when others then
    if not credits_router.is_outage(sqlstate, sqlerrm) then
      raise;
    end if;
    -- It may have booked it. Nobody else books it before that shard has answered.
    return null;
  end;
  if is_booked then
    return holder;
  end if;
  return credits_router.claim_external_ref(home, p_kind, p_external_ref, p_account_id, holder);
end;
$$;
comment on function credits_router.reference_claim_at(text, text, uuid) is
  'Lists an external_ref for an account, on the shard that lists it, and returns whose it is; null: another account''s, '
  'unless its shard, which does not answer, has not booked it. Raises where the shard that lists it does not answer.';

create function credits_router.reference_holder(p_kind text, p_external_ref text, p_account_id uuid)
returns uuid
language plpgsql
as $$
declare
  booked constant text := case p_kind when 'grant' then 'credit_grants' when 'withdrawal' then 'credit_withdrawals'
    else 'credit_transfers' end;
  key constant text := case p_kind when 'transfer' then 'from_account_id' else 'account_id' end;
  shard text;
  holder uuid;
begin
  for shard in select s.shard from credits_router.shards as s loop
    begin
      execute format('select %1$I from credits_router.%2$I where external_ref = %3$L and %1$I <> %4$L limit 1', key,
        shard || '_' || booked, p_external_ref, p_account_id) into holder;
      exit when holder is not null;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
    end;
  end loop;
  return coalesce(holder, p_account_id);
end;
$$;
comment on function credits_router.reference_holder(text, text, uuid) is
  'Which other account has booked an external_ref, on the shards that answer; else this one. Asks each of them: only '
  'where the shard that lists it does not answer.';

create function credits_router.reference_claim(p_kind text, p_external_ref text, p_account_id uuid)
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  holder uuid;
begin
  if p_external_ref is null or p_account_id is null or length(p_external_ref) not between 1 and 255 then
    -- Its own shard says what is wrong.
    return;
  end if;
  select account_id into holder from credits_router.references_waiting
  where kind = p_kind and external_ref = p_external_ref;
  if holder is null then
    begin
      holder := credits_router.reference_claim_at(p_kind, p_external_ref, p_account_id);
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      -- Another shard's outage stops nobody: who comes later finds it here.
      insert into credits_router.references_waiting as w (kind, external_ref, account_id)
      values (p_kind, p_external_ref, credits_router.reference_holder(p_kind, p_external_ref, p_account_id))
      on conflict (kind, external_ref) do update set noted_at = w.noted_at returning account_id into holder;
    end;
  end if;
  if holder is null then
    perform credits_router.raise_outage();
  elsif holder <> p_account_id then
    perform credits_router.reference_refuse(p_kind);
  end if;
end;
$$;
comment on function credits_router.reference_claim(text, text, uuid) is
  'Raises PT409 where an external_ref is another account''s, on whichever shard that lives; 08006 where that shard does '
  'not answer, so that nobody knows whether it is.';

create function credits_router.deliver_references()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  waiting credits_router.references_waiting;
  began constant timestamptz := clock_timestamp();
  silent text[] := credits_router.silent_shards();
  home text;
  holder uuid;
  delivered integer := 0;
begin
  for waiting in select * from credits_router.references_waiting order by noted_at limit 1000 for update skip locked loop
    home := credits_router.shard_of(credits.ref_home(waiting.external_ref));
    continue when home = any (silent);
    exit when credits_router.is_late(began);
    begin
      holder := credits_router.reference_claim_at(waiting.kind, waiting.external_ref, waiting.account_id);
      -- It waits for another shard.
      continue when holder is null;
      if holder <> waiting.account_id then
        raise warning 'external_ref % (%) is booked for % and for another account', waiting.external_ref, waiting.kind,
          waiting.account_id;
      end if;
      delete from credits_router.references_waiting
      where kind = waiting.kind and external_ref = waiting.external_ref;
      delivered := delivered + 1;
    exception when others then
      silent := credits_router.silent_with(silent, home, sqlstate, sqlerrm);
      raise warning 'external_ref % waits: % (%)', waiting.external_ref, sqlerrm, sqlstate;
    end;
  end loop;
  return delivered;
end;
$$;
comment on function credits_router.deliver_references() is
  'Lists what could not be listed when it was used; returns how many. Warns of one that two accounts have.';

alter function credits_router.reference_holder owner to credits_router;
alter function credits_router.reference_claim_at owner to credits_router;
alter function credits_router.reference_claim owner to credits_router;
alter function credits_router.deliver_references owner to credits_router;
