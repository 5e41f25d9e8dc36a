-- Gives: an account's movements as things that happened: a charge out of three grants is one of them.
-- Keeps: every entry is part of exactly one thing, and a thing is found by its first entry, so pages neither repeat nor
--   lose one.
-- Needs: ledger, debts, history, book discrepancies.

create type public.operator_timeline_row as (
  at timestamptz,
  key text,
  kind text,
  title text,
  credits bigint,
  balance bigint,
  job_id uuid,
  grant_id bigint,
  payment_id text,
  request_id text,
  operator_id uuid,
  action_seq bigint,
  detail jsonb
);
comment on type public.operator_timeline_row is
  'One thing that happened to an account, as operator_timeline shows it. at and key order them, both descending. '
  'credits: what moved; null: nothing. balance: the ledger''s after it; null where nothing moved.';

create type credits.account_thing as (
  first_seq bigint,
  last_seq bigint,
  at timestamptz,
  key text,
  kind public.credit_entry_kind,
  delta bigint,
  balance_after bigint,
  grant_id bigint,
  job_id uuid,
  reason text,
  metadata jsonb
);
comment on type credits.account_thing is
  'Entries that follow each other and are of one thing. grant_id, reason and metadata are those of the last entry.';

create function credits.reversal_target(p_entry public.credit_ledger)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- An entry that takes comes before its row of credit_debts, one that gives back after it.
  select d.target from public.credit_debts as d
  where d.account_id = p_entry.account_id and d.target is not null
    and d.grant_id = (p_entry.metadata ->> 'reversed_grant_id')::bigint
    and case when p_entry.delta < 0 then d.created_at >= p_entry.created_at
      else d.created_at <= p_entry.created_at end
  order by case when p_entry.delta < 0 then d.seq else -d.seq end limit 1;
$$;
comment on function credits.reversal_target(public.credit_ledger) is
  'The target of the reversal that an entry of kind revocation is a part of: each reversal of a grant has another.';

create function credits.entry_thing(p_entry public.credit_ledger)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_entry.kind = 'revocation' and p_entry.reason is distinct from 'debt of a revoked grant' then
    return concat_ws(' ', p_entry.metadata ->> 'operator_action', 'reversal', p_entry.metadata ->> 'reversed_grant_id',
      credits.reversal_target(p_entry));
  end if;
  return concat_ws(' ', p_entry.metadata ->> 'operator_action', p_entry.kind, case
    when p_entry.job_id is not null then concat_ws(' ', p_entry.job_id,
      case when p_entry.kind in ('charge', 'adjustment') then p_entry.reason
        else p_entry.metadata ->> 'refund_key' end)
    when p_entry.kind = 'transfer' and p_entry.delta > 0 then p_entry.metadata ->> 'external_ref'
    -- What fills up an overdraft, and then the grant.
    when p_entry.delta > 0 then coalesce(p_entry.grant_id::text, p_entry.metadata ->> 'repaid_from_grant_id')
    when p_entry.kind = 'adjustment' then coalesce(p_entry.metadata ->> 'withdrawal_ref', p_entry.seq::text)
    else p_entry.seq::text end);
end;
$$;
comment on function credits.entry_thing(public.credit_ledger) is
  'What an entry is a part of: entries that follow each other and have this in common are one thing.';

create function credits.account_things(p_account_id uuid, p_after_seq bigint, p_last_seq bigint)
returns setof credits.account_thing
language sql
stable
set search_path = '', pg_temp
as $$
  with entries as (
    select l.*, credits.entry_thing(l) as thing from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq >= p_after_seq and l.seq <= p_last_seq
  ),
  parts as (
    select e.*, count(*) filter (where begins) over (order by seq) as part from (
      select *, thing is distinct from lag(thing) over (order by seq) as begins from entries
    ) as e where seq > p_after_seq
  )
  select min(seq), max(seq), min(created_at), 'entry:' || lpad(min(seq)::text, 19, '0'), max(kind),
    credits.to_bigint(sum(delta)), (array_agg(balance_after order by seq desc))[1],
    (array_agg(grant_id order by seq desc))[1], (array_agg(job_id order by seq desc))[1],
    (array_agg(reason order by seq desc))[1], (array_agg(metadata order by seq desc))[1]
  from parts where part > 0 group by part;
$$;
comment on function credits.account_things(uuid, bigint, bigint) is
  'The things that begin in an account''s entries after p_after_seq, up to p_last_seq.';

create function credits.thing_end(p_account_id uuid, p_seq bigint)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  thing constant text := (select credits.entry_thing(l) from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq = p_seq);
begin
  while thing = (select credits.entry_thing(l) from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq = p_seq + 1) loop
    p_seq := p_seq + 1;
  end loop;
  return p_seq;
end;
$$;
comment on function credits.thing_end(uuid, bigint) is 'The last entry of the thing that an entry is a part of.';

create function credits.newest_things(p_account_id uuid, p_before_at timestamptz, p_before_key text, p_limit integer)
returns setof credits.account_thing
language plpgsql
stable
rows 50
set search_path = '', pg_temp
as $$
declare
  newest constant bigint := public.ledger_seq_as_of(p_account_id, p_before_at);
  last_seq constant bigint := credits.thing_end(p_account_id, newest);
  reach bigint := p_limit * 2;
  found_now integer;
begin
  -- Entries are numbered without a gap: back by twice as many as are wanted, which is enough where a thing has one or
  -- two, and further where it has more.
  loop
    found_now := (select count(*) from credits.account_things(p_account_id, newest - reach, last_seq) as t
      where (t.at, t.key collate "C") < (p_before_at, p_before_key));
    exit when found_now >= p_limit or reach >= newest;
    reach := reach * 4;
  end loop;
  return query
  select t.* from credits.account_things(p_account_id, newest - reach, last_seq) as t
  where (t.at, t.key collate "C") < (p_before_at, p_before_key) order by t.first_seq desc limit p_limit;
end;
$$;
comment on function credits.newest_things(uuid, timestamptz, text, integer) is
  'The newest movements of an account before one. Reads as many entries as it needs, however long the history is.';
