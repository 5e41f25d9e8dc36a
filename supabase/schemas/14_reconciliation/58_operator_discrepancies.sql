-- Gives: where operators' actions, their chains and the ledger do not agree.
-- Keeps: nothing; reports.
-- Needs: ledger, book discrepancies; when called: operators, operator actions.

create function credits.operator_action_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with tally as (
    select l.operator_id, count(*) as actions, max(l.seq) as last_seq, bool_and(l.follows) as follows,
      (max(array[lpad(l.seq::text, 19, '0'), encode(l.hash, 'hex')]))[2] as last_hash
    from credits.action_links as l group by l.operator_id
  ),
  suspects as (
    select coalesce(o.user_id, t.operator_id) as operator_id
    from public.credit_operators as o full join tally as t on t.operator_id = o.user_id
    where (coalesce(t.follows, true) and o.last_seq = coalesce(t.last_seq, 0) and o.last_seq = coalesce(t.actions, 0)
      and encode(o.last_hash, 'hex') = coalesce(t.last_hash, repeat('00', 32))) is not true
    offset 0
  )
  select (credits.discrepancy('operator chain', v.operator_id, o.last_seq, v.broken_seq - 1,
    (select max(created_at) from public.operator_actions as a where a.operator_id = v.operator_id),
    p_seq => v.broken_seq)).*
  from suspects as s
  cross join lateral credits.action_chain(s.operator_id) as v
  left join public.credit_operators as o on o.user_id = s.operator_id
  where not v.sound;
  return query
  select (credits.discrepancy('operator action', a.account_id, e.named, e.found, a.created_at,
    p_seq => a.first_seq)).*
  from public.operator_actions as a
  cross join lateral (
    select count(*) as named, count(*) filter (
      where l.metadata ->> 'operator_action' = format('%s:%s', a.operator_id, a.seq)) as found
    from (values (a.first_seq), (a.last_seq)) as s (seq)
    left join public.credit_ledger as l on l.account_id = a.account_id and l.seq = s.seq
  ) as e
  where a.first_seq is not null and e.found < e.named;
end;
$$;
comment on function credits.operator_action_discrepancies() is
  'Operators whose chain is broken, and actions whose first or last ledger entry is gone or does not name them.';

create function credits.operator_entry_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with named as (
    select l.account_id, l.seq, l.created_at, l.metadata ->> 'operator_action' as name
    from public.credit_ledger as l where l.metadata ? 'operator_action'
  )
  select (credits.discrepancy('operator entry', n.account_id, 1, 0, n.created_at, p_seq => n.seq)).*
  from named as n
  left join public.operator_actions as a
    -- Of another text nothing is cast: it names nobody.
    on a.operator_id = case when n.name ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}:\d{1,18}$'
      then split_part(n.name, ':', 1)::uuid end
    and a.seq = case when n.name ~ ':\d{1,18}$' then substring(n.name from '\d{1,18}$')::bigint end
    -- An erasure also ends the person's jobs in their teams.
    and (a.account_id is distinct from n.account_id and a.action = 'erase_account'
      or a.account_id = n.account_id and n.seq between a.first_seq and a.last_seq)
  where a.operator_id is null;
end;
$$;
comment on function credits.operator_entry_discrepancies() is
  'Ledger entries that name an operator''s action which is not there, or which does not name them.';

create function credits.operator_discrepancies(p_with_entries boolean)
returns setof credits.discrepancy
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from credits.operator_action_discrepancies()
  union all select * from credits.operator_entry_discrepancies() where p_with_entries;
$$;
comment on function credits.operator_discrepancies(boolean) is
  'Everything in which operators'' actions and the ledger do not agree; p_with_entries also reads the whole ledger.';
