-- Gives: adopted.import_batch, which writes the planned entries of some accounts into credit_ledger.
-- Keeps: an account is imported whole, with its grant and balance, in the transaction that notes it: every invariant
-- holds after each batch, and a run that was killed goes on where the last batch ended. No account twice.
-- Needs: plan; every chapter of Atomic Credits.

-- anyelement instead of the ledger's row type: so nothing here hangs on the chapters, and they can be rolled back.
create function adopted.chain_next(p_state bytea, p_before bytea, p_entry anyelement)
returns bytea
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return credits.entry_hash(coalesce(p_state, p_before), p_entry.account_id, p_entry.seq, p_entry.delta, p_entry.balance_after, p_entry.kind,
    p_entry.grant_id, p_entry.job_id, p_entry.reason, p_entry.metadata, p_entry.created_at);
end;
$$;
comment on function adopted.chain_next(bytea, bytea, anyelement) is 'The hash of an entry after the one before it.';

create aggregate adopted.chain(bytea, anyelement) (sfunc = adopted.chain_next, stype = bytea);
comment on aggregate adopted.chain(bytea, anyelement) is
  'As a window over entries in order: the hash of each. The first argument is the hash before the first of them.';

create function adopted.open_accounts(p_batch bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A user who is gone by now has an account as any deleted user has: closed, and nobody's.
  insert into public.credit_accounts (id, user_id, created_at, closed_at)
  select a.account_id, u.id, a.since, case when u.id is null then now() end
  from adopted.accounts as a left join auth.users as u on u.id = a.account_id
  where a.batch = p_batch and a.base_seq is null order by a.account_id
  on conflict do nothing;
  perform from public.credit_accounts as c
  where c.id in (select account_id from adopted.accounts where batch = p_batch and base_seq is null)
  order by c.id for update;
  update adopted.accounts as a set base_seq = c.last_seq, base_limit = c.credit_limit
  from public.credit_accounts as c where c.id = a.account_id and a.batch = p_batch and a.base_seq is null;
end;
$$;
comment on function adopted.open_accounts(bigint) is 'Opens and locks the accounts of a batch, the lower id first.';

create function adopted.open_grants(p_batch bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- One grant an account, from which its history is paid. Who ends below 0 has none: that history is overdraft.
  insert into public.credit_grants (account_id, kind, amount, remaining, is_open, external_ref, reason, created_at)
  select a.account_id, 'grant', sum(e.delta) filter (where e.delta > 0), a.final, a.final > 0, 'adopted:' || a.account_id,
    left('adopted from ' || adopted.source('ledger'), 500), least(min(e.created_at), now())
  from adopted.accounts as a join adopted.entries as e on e.account_id = a.account_id and e.position is not null
  where a.batch = p_batch and a.final >= 0
  group by a.account_id, a.final;
end;
$$;
comment on function adopted.open_grants(bigint) is 'Makes the grant of each account of a batch: what came in, and what remains.';

create function adopted.write_entries(p_batch bigint)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
declare
  written bigint;
begin
  insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, reason, metadata, created_at, hash)
  with drafts as (
    select c.last_hash, c.id as account_id, c.last_seq + e.position as seq, e.delta,
      (c.balance + sum(e.delta) over (partition by c.id order by c.last_seq + e.position))::bigint as balance_after,
      e.kind::public.credit_entry_kind as kind, g.id as grant_id, null::uuid as job_id, e.reason,
      -- Entries never go back in time: behind what is there already, the old time is a detail.
      nullif(jsonb_strip_nulls(jsonb_build_object('adopted_id', e.old_id,
        'adopted_created_at', case when e.created_at < c.last_entry_at then e.created_at end)) || coalesce(e.as_was, '{}'), '{}') as metadata,
      greatest(e.created_at, c.last_entry_at) as created_at
    from adopted.accounts as a
    join public.credit_accounts as c on c.id = a.account_id
    join adopted.entries as e on e.account_id = a.account_id and e.position is not null
    left join public.credit_grants as g on g.external_ref = 'adopted:' || a.account_id
    where a.batch = p_batch
  )
  select d.account_id, d.seq, d.delta, d.balance_after, d.kind, d.grant_id, d.reason, d.metadata, d.created_at,
    adopted.chain(d.last_hash, d) over (partition by d.account_id order by d.seq)
  from drafts as d;
  get diagnostics written = row_count;
  return written;
end;
$$;
comment on function adopted.write_entries(bigint) is 'Writes the entries of a batch, numbered and chained behind what each account has; returns how many.';

create function adopted.settle_account(p_account_id uuid, p_base_limit bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
begin
  for part in
    select g.id, g.amount
    from public.credit_accounts as c cross join lateral credits.burn_plan(c.id, c.overdraft_used) as p
    cross join lateral unnest(p.grant_ids, p.amounts) as g (id, amount)
    where c.id = p_account_id
  loop
    perform credits.entry_append(p_account_id, -part.amount, 'adjustment', part.id, null, 'fills the overdraft', null);
    perform credits.overdraft_fill(c, part.id, part.amount, 'adjustment', null, 'fills the overdraft',
      jsonb_build_object('repaid_from_grant_id', part.id))
    from public.credit_accounts as c where c.id = p_account_id;
  end loop;
  perform credits.debt_collect(c, g.id)
  from public.credit_accounts as c join public.credit_grants as g on g.external_ref = 'adopted:' || c.id where c.id = p_account_id;
  update public.credit_accounts set credit_limit = greatest(p_base_limit, overdraft_used)
  where id = p_account_id and credit_limit > greatest(p_base_limit, overdraft_used);
end;
$$;
comment on function adopted.settle_account(uuid, bigint) is
  'Fills the overdraft of an imported account from its grants, and pays its debt from what came in, as grant_credits does. '
  'The limit that only its history needed goes down again. The caller holds the account''s lock.';

create function adopted.import_batch()
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
declare
  next_batch constant bigint := (select min(batch) from adopted.accounts where base_seq is null);
  written bigint;
begin
  if next_batch is null then
    return null;
  end if;
  perform adopted.open_accounts(next_batch);
  perform adopted.open_grants(next_batch);
  written := adopted.write_entries(next_batch);
  -- Only where it must rise: a limit that is set has the last word over what a plan would lower it to.
  update public.credit_accounts as c set credit_limit = c.overdraft_used - a.final
  from adopted.accounts as a
  where a.batch = next_batch and c.id = a.account_id and a.final < 0 and c.credit_limit < c.overdraft_used - a.final;
  update public.credit_accounts as c
  set version = c.version + 1, balance = l.balance_after, last_seq = l.seq, last_hash = l.hash, last_entry_at = l.created_at,
      overdraft_used = c.overdraft_used + greatest(-a.final, 0)
  from adopted.accounts as a
  join public.credit_ledger as l on l.account_id = a.account_id and l.seq = a.base_seq + a.entries
  where a.batch = next_batch and c.id = a.account_id;
  perform credits.debt_append(c, (a.final - a.target)::bigint, null, null, null, 0::bigint, 'negative balance, carried on as debt')
  from adopted.accounts as a join public.credit_accounts as c on c.id = a.account_id
  where a.batch = next_batch and adopted.decided('negative') = 'debt' and a.final > a.target;
  perform adopted.settle_account(a.account_id, a.base_limit)
  from adopted.accounts as a join public.credit_accounts as c on c.id = a.account_id
  where a.batch = next_batch and a.base_seq > 0 and (c.overdraft_used > 0 or c.debt > 0);
  return written;
end;
$$;
comment on function adopted.import_batch() is 'Imports the next batch of accounts; returns how many entries it wrote, null when all are imported.';

create function adopted.progress(out entries bigint, out done bigint)
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(entries), 0)::bigint, coalesce(sum(entries) filter (where base_seq is not null), 0)::bigint from adopted.accounts;
$$;
comment on function adopted.progress() is 'Entries to write in all, and written.';
