-- An external_ref is one account's, on whichever shard, and so is a provider's customer: claimed before it is booked.

create function credits_router.reference_refuse(p_kind text)
returns void
language plpgsql
as $$
begin
  if p_kind = 'customer' then
    perform credits.raise_misuse('PT409', 'this customer is another account''s',
      'A customer of the provider is one account. Make a new customer for this account.');
  end if;
  perform credits.raise_misuse('PT409', case p_kind
      when 'grant' then 'this external_ref was granted before, to another account or with another amount'
      when 'withdrawal' then
        'this external_ref was withdrawn before, from another account or grant or with another amount'
      else 'this external_ref was transferred before, between other accounts or with another amount' end,
    'Use the id of the outside event, and on a retry the same account and amount.');
end;
$$;
comment on function credits_router.reference_refuse(text) is
  'Raises PT409 as a shard does that knows the other account.';

create function credits_router.reference_slots(p_external_ref text)
returns integer[]
language plpgsql
stable
as $$
declare
  slots constant integer[] := credits.ref_groups(p_external_ref);
begin
  if (select count(distinct shard) from credits_router.groups where number = any (slots)) = 1 then
    return slots[1:1];
  end if;
  return slots;
end;
$$;
comment on function credits_router.reference_slots(text) is
  'A slot of each shard that lists an external_ref: two, where there are several shards.';

create function credits_router.reference_is_booked(p_kind text, p_external_ref text, p_account_id uuid)
returns boolean
language plpgsql
as $$
begin
  perform credits_router.silent_check(credits_router.shard_of(p_account_id));
  return credits_router.has_external_ref(credits_router.account_slot(p_account_id), p_account_id, p_kind,
    p_external_ref);
exception when others then
  if not credits_router.is_outage(sqlstate, sqlerrm) then
    raise;
  end if;
  return null;
end;
$$;
comment on function credits_router.reference_is_booked(text, text, uuid) is
  'Whether an account has booked an external_ref; null: its shard does not answer.';

create function credits_router.reference_list(p_slot integer, p_kind text, p_external_ref text, p_account_id uuid)
returns uuid
language plpgsql
as $$
declare
  holder uuid;
begin
  perform credits_router.silent_check((select shard from credits_router.groups where number = p_slot));
  holder := credits_router.claim_external_ref(p_slot, p_kind, p_external_ref, p_account_id, null);
  if holder = p_account_id then
    return holder;
  end if;
  return case credits_router.reference_is_booked(p_kind, p_external_ref, holder)
    when true then holder
    when false then credits_router.claim_external_ref(p_slot, p_kind, p_external_ref, p_account_id, holder) end;
end;
$$;
comment on function credits_router.reference_list(integer, text, text, uuid) is
  'Lists an external_ref for an account on one of its shards, and returns whose it is; null: another account''s, whose '
  'shard does not answer: it may have booked it. Raises where the shard that lists it does not answer.';

create function credits_router.reference_wait(p_kind text, p_external_ref text, p_account_id uuid)
returns uuid
language sql
as $$
  insert into credits_router.references_waiting as w (kind, external_ref, account_id)
  values (p_kind, p_external_ref, p_account_id)
  on conflict (kind, external_ref) do update set noted_at = w.noted_at returning account_id
$$;
comment on function credits_router.reference_wait(text, text, uuid) is
  'Notes an external_ref for a shard that is down, and returns whose it is: who comes later finds it here.';

create function credits_router.reference_booker(
  p_kind text, p_external_ref text, p_account_id uuid, p_silent text[]
)
returns uuid
language plpgsql
as $$
declare
  booked constant text := case p_kind
    when 'grant' then 'select account_id from credits_router.%1$I where external_ref = $1 and account_id <> $2
      union all select coalesce(account_id, claimed_account_id) from credits_router.%2$I
        where key = $1 and state = ''waiting'' and coalesce(account_id, claimed_account_id) <> $2 limit 1'
    when 'withdrawal' then 'select account_id from credits_router.%3$I where external_ref = $1 and account_id <> $2'
    else 'select from_account_id from credits_router.%4$I where external_ref = $1 and from_account_id <> $2' end;
  shard text;
  booker uuid;
begin
  for shard in select s.shard from credits_router.shards as s where s.shard <> all (p_silent) order by s.slot loop
    begin
      execute format(booked, shard || '_credit_grants', shard || '_payments', shard || '_credit_withdrawals',
        shard || '_credit_transfers') into booker using p_external_ref, p_account_id;
      if booker is not null then
        return booker;
      end if;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
    end;
  end loop;
  return null;
end;
$$;
comment on function credits_router.reference_booker(text, text, uuid, text[]) is
  'Which other account has booked an external_ref, by all shards that answer; null: none of them knows any.';

create function credits_router.reference_claim(p_kind text, p_external_ref text, p_account_id uuid)
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  slots integer[];
  slot integer;
  answers integer := 0;
  silent text[] := '{}';
  holder uuid;
begin
  if p_external_ref is null or p_account_id is null or length(p_external_ref) not between 1 and 255 then
    -- Its own shard says what is wrong.
    return;
  end if;
  select account_id into holder from credits_router.references_waiting
  where kind = p_kind and external_ref = p_external_ref;
  if holder is null then
    slots := credits_router.reference_slots(p_external_ref);
    foreach slot in array slots loop
      begin
        holder := credits_router.reference_list(slot, p_kind, p_external_ref, p_account_id);
        answers := answers + 1;
        exit when holder is distinct from p_account_id;
      exception when others then
        if not credits_router.is_outage(sqlstate, sqlerrm) then
          raise;
        end if;
        silent := silent || (select shard from credits_router.groups where number = slot);
      end;
    end loop;
    -- An outage of one of them stops nobody. With both, nobody knows whose it is. The note of an account that used it
    -- while the other one was down may be lost: it was undone with the call, which counts on that account's shard.
    if holder = p_account_id and answers < cardinality(slots) then
      holder := coalesce(credits_router.reference_booker(p_kind, p_external_ref, p_account_id, silent),
        credits_router.reference_wait(p_kind, p_external_ref, p_account_id));
    end if;
  end if;
  if holder is null then
    perform credits_router.raise_outage();
  elsif holder <> p_account_id
    -- Who has booked it repeats their call, and who has only claimed it meanwhile is refused.
    and not (credits_router.reference_is_booked(p_kind, p_external_ref, holder) is false
      and credits_router.reference_is_booked(p_kind, p_external_ref, p_account_id) is true) then
    perform credits_router.reference_refuse(p_kind);
  end if;
end;
$$;
comment on function credits_router.reference_claim(text, text, uuid) is
  'Raises PT409 where an external_ref is another account''s, on whichever shard that lives; 08006 where neither shard '
  'that lists it answers, or the one of the account that holds it does not, so that nobody knows whether it is.';

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
  slots integer[];
  slot integer;
  home text;
  holder uuid;
  is_listed boolean;
  delivered integer := 0;
begin
  for waiting in
    select * from credits_router.references_waiting order by noted_at limit 1000 for update skip locked
  loop
    exit when credits_router.is_late(began);
    is_listed := true;
    slots := credits_router.reference_slots(waiting.external_ref);
    foreach slot in array slots loop
      home := (select shard from credits_router.groups where number = slot);
      begin
        holder := case when home <> all (silent) then
          credits_router.reference_list(slot, waiting.kind, waiting.external_ref, waiting.account_id) end;
        if holder <> waiting.account_id
          and credits_router.reference_is_booked(waiting.kind, waiting.external_ref, holder) then
          raise warning 'external_ref % (%) is booked for % and for another account', waiting.external_ref,
            waiting.kind, waiting.account_id;
        elsif holder is distinct from waiting.account_id then
          -- It waits for another shard, or for a claim of somebody who has not booked it to grow old.
          is_listed := false;
        end if;
      exception when others then
        silent := credits_router.silent_with(silent, home, sqlstate, sqlerrm);
        is_listed := false;
        raise warning 'external_ref % waits: % (%)', waiting.external_ref, sqlerrm, sqlstate;
      end;
    end loop;
    if is_listed then
      delete from credits_router.references_waiting
      where kind = waiting.kind and external_ref = waiting.external_ref;
      delivered := delivered + 1;
    end if;
  end loop;
  return delivered;
end;
$$;
comment on function credits_router.deliver_references() is
  'Lists what could not be listed when it was used; returns how many. Warns of one that two accounts have.';

create function credits_router.booking_slot(p_payment jsonb)
returns integer
language plpgsql
as $$
declare
  slot constant integer := credits_router.payment_slot(p_payment);
  claimed constant text := p_payment ->> 'account_id';
  account uuid;
begin
  execute format('select account_id from credits_router.%I
      where (provider, customer_id, livemode::text) = ($1, $2, $3)',
    (select shard from credits_router.groups where number = slot & 15) || '_payment_customers')
  into account using p_payment ->> 'provider', p_payment ->> 'customer', p_payment ->> 'livemode';
  if claimed ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    account := coalesce(account, claimed::uuid);
  end if;
  perform credits_router.reference_claim('grant', p_payment ->> 'key', account);
  return slot;
end;
$$;
comment on function credits_router.booking_slot(jsonb) is
  'payment_slot, after its key was claimed for the account that it would be granted to.';

alter function credits_router.reference_claim owner to credits_router;
alter function credits_router.deliver_references owner to credits_router;
alter function credits_router.booking_slot owner to credits_router;
