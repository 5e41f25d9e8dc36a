-- Gives: adopted.plan, which says of every old row what becomes of it, and of every account what balance it ends with.
-- Keeps: an account's rows in order (time, id); every row once. Nothing outside schema adopted is written.
-- Needs: source; table auth.users.

create function adopted.view_judged()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  create view adopted.judged_rows with (security_invoker = true) as
  select s.*, case when s.timely then s.created_at else s.planned_at end as booked_at,
    case
      when s.user_id is null then array['no-user']
      when s.amount is null then array['null-delta']
      when s.delta is null then array['out-of-range']
      when s.copy or not s.known or not s.timely or s.amount <> s.delta then array_remove(array[
        case when s.copy then 'duplicates' end, case when not s.known then 'unknown-users' end,
        case when not s.timely then 'times' end, case when s.amount <> s.delta then 'fractions' end], null)
    end as classes
  from (
    select r.*, p.planned_at, u.id is not null as known,
      -- Neither NaN nor infinity is between them.
      case when r.amount between -1000000000000 and 1000000000000 then round(r.amount)::bigint end as delta,
      coalesce(isfinite(r.created_at) and r.created_at <= p.planned_at, false) as timely,
      row_number() over (partition by r.user_id, r.amount, r.reason, r.created_at order by r.id) > 1 as copy
    from adopted.adoption as p cross join adopted.old_rows as r left join auth.users as u on u.id = r.user_id
  ) as s;
  comment on view adopted.judged_rows is 'The old rows with their amounts in whole credits, and what there is to say about each.';
  revoke all on table adopted.judged_rows, adopted.old_rows, adopted.old_balances from public, anon, authenticated, service_role;
end;
$$;
comment on function adopted.view_judged() is 'Makes adopted.judged_rows of adopted.old_rows.';

create function adopted.plan_rows()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into adopted.entries (old_id, account_id, position, delta, kind, reason, created_at, as_was, classes, set_aside)
  with patterns as materialized (
    select k.value ->> 'like' as shape, k.value ->> 'kind' as kind, k.place, case
        when k.value ->> 'kind' in ('grant', 'purchase', 'refill', 'release', 'refund') then 1
        when k.value ->> 'kind' in ('charge', 'expiry', 'revocation') then -1 else 0 end as sign
    from adopted.adoption, jsonb_array_elements(decisions -> 'kinds') with ordinality as k (value, place)
  ),
  decided as materialized (
    select array_agg(class) as aside from unnest(array['duplicates', 'unknown-users', 'times']) as c (class)
    where adopted.decided(class) in ('drop', 'set-aside')
  ),
  judged as (
    select j.*, case
        when j.user_id is null or j.delta is null then j.classes[1]
        when j.classes && d.aside then (select c from unnest(j.classes) as c where c = any (d.aside) limit 1)
        when j.delta = 0 then 'zero' end as set_aside
    from adopted.judged_rows as j cross join decided as d
  )
  select old_id, user_id, case when set_aside is null then row_number() over (partition by user_id, set_aside order by booked_at, id) end,
    delta, coalesce(
      (select p.kind from patterns as p where j.reason like p.shape and j.delta * p.sign >= 0 order by p.place limit 1),
      case when delta > 0 then 'grant' else 'charge' end),
    left(reason, 500), booked_at, case when classes is not null then nullif(jsonb_strip_nulls(jsonb_build_object(
      'adopted_delta', case when amount <> delta then amount::text end,
      'adopted_created_at', case when not timely then coalesce(created_at::text, 'none') end)), '{}') end,
    classes, set_aside
  from judged as j;
end;
$$;
comment on function adopted.plan_rows() is
  'Reads every old row into adopted.entries. What is not decided is planned as if the row were kept. Its kind is that of the first '
  'pattern that its reason and sign fit, else grant or charge by the sign.';

create function adopted.index_rows()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if exists (select from adopted.entries where old_id is null) then
    perform adopted.refuse('some old rows have no id', 'Give them one, or name a column that has it with --id.');
  end if;
  create unique index entries_by_old_id on adopted.entries (old_id);
  create unique index entries_in_order on adopted.entries (account_id, position) where position is not null;
  analyze adopted.entries;
exception when unique_violation then
  perform adopted.refuse('old rows share an id', 'Name a unique column with --id, or add one: alter table … add column row_id bigint generated always as identity.');
end;
$$;
comment on function adopted.index_rows() is 'Makes sure that an old row is known by its id, and found by it.';

create function adopted.plan_accounts()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  at constant timestamptz := (select planned_at from adopted.adoption);
begin
  insert into adopted.accounts (account_id, since, old_rows, rows, incoming, history, stated, classes)
  with booked as (
    select account_id, count(*) as old_rows, count(position) as rows, min(created_at) as first,
      coalesce(sum(delta) filter (where position is not null and delta > 0), 0) as incoming,
      coalesce(sum(delta) filter (where position is not null), 0) as history
    from adopted.entries where account_id is not null group by account_id
  ),
  both_sides as (
    select coalesce(h.account_id, b.user_id) as account_id, h.first, coalesce(h.old_rows, 0) as old_rows, coalesce(h.rows, 0) as rows,
      coalesce(h.incoming, 0) as incoming, coalesce(h.history, 0) as history, b.credits,
      case when b.credits between -1000000000000 and 1000000000000 then round(b.credits) end as stated
    from booked as h full join adopted.old_balances as b on b.user_id = h.account_id
    where h.account_id is not null or (b.user_id is not null and b.credits <> 0)
  )
  select s.account_id, least(u.created_at, s.first, at), s.old_rows, s.rows, s.incoming, s.history, s.stated, array_remove(array[
    case when u.id is null then 'unknown-users' end,
    case when s.credits is not null and s.stated is null or s.incoming + abs(s.history) + abs(coalesce(s.stated, 0)) > 1000000000000 then 'out-of-range' end,
    case when s.credits <> s.stated then 'fractions' end,
    case when s.old_rows > 0 and s.stated <> s.history then 'balance' end,
    case when s.old_rows = 0 and s.stated <> 0 then 'opening' end], null)
  from both_sides as s left join auth.users as u on u.id = s.account_id;
end;
$$;
comment on function adopted.plan_accounts() is 'Sums each account''s rows, and compares them with the table of balances.';

create function adopted.plan_existing()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if to_regclass('public.credit_accounts') is null or to_regproc('credits.entry_append') is null then
    return;
  end if;
  execute 'update adopted.accounts as a set classes = a.classes || ''existing''::text
    from public.credit_accounts as c where c.id = a.account_id and c.last_seq > 0';
end;
$$;
comment on function adopted.plan_existing() is 'Marks the accounts that have entries in credit_ledger already.';

create function adopted.set_accounts_aside()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update adopted.accounts as a
  set set_aside = (select f from unnest(a.classes) as f
    where f = 'out-of-range' or (f in ('unknown-users', 'existing') and adopted.decided(f) = 'set-aside') limit 1)
  where a.classes && array['out-of-range', 'unknown-users', 'existing'];
  update adopted.entries as e set set_aside = a.set_aside, position = null
  from adopted.accounts as a
  where a.account_id = e.account_id and a.set_aside is not null and e.position is not null;
end;
$$;
comment on function adopted.set_accounts_aside() is 'Sets whole accounts aside, with their rows.';

create function adopted.plan_balances()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update adopted.accounts set target = case
    when 'balance' = any (classes) and adopted.decided('balance') = 'profile' then stated
    when 'opening' = any (classes) and adopted.decided('opening') = 'grant' then stated
    else history end
  where set_aside is null;
  update adopted.accounts
  set classes = case when target < 0 then classes || 'negative'::text else classes end,
      final = case when target < 0 and adopted.decided('negative') in ('zero', 'debt') then 0 else target end
  where set_aside is null;
  insert into adopted.entries (account_id, position, delta, kind, reason, created_at)
  select a.account_id, a.rows + 1, a.target - a.history, case when a.old_rows = 0 and a.target > 0 then 'grant' else 'adjustment' end,
    format('%s said %s, the old ledger %s', adopted.source('balances'), a.stated, a.history), p.planned_at
  from adopted.accounts as a, adopted.adoption as p where a.target <> a.history
  union all
  select a.account_id, a.rows + 1 + (a.target <> a.history)::integer, a.final - a.target, 'adjustment',
    case adopted.decided('negative') when 'debt' then 'negative balance, carried on as debt' else 'negative balance, forgiven' end, p.planned_at
  from adopted.accounts as a, adopted.adoption as p where a.final <> a.target;
  update adopted.accounts set entries = rows + (target <> history)::integer + (final <> target)::integer where set_aside is null;
end;
$$;
comment on function adopted.plan_balances() is 'Decides each account''s balance, and adds the adjustments that lead there from its history.';

create function adopted.plan(p_batch_rows bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform adopted.view_judged();
  perform adopted.plan_rows();
  perform adopted.index_rows();
  perform adopted.plan_accounts();
  perform adopted.plan_existing();
  perform adopted.set_accounts_aside();
  perform adopted.plan_balances();
  -- Batches are whole accounts: after each one every invariant holds.
  update adopted.accounts as a set batch = b.batch
  from (
    select account_id, div(sum(entries) over (order by account_id) - entries, p_batch_rows) as batch
    from adopted.accounts where entries > 0
  ) as b where b.account_id = a.account_id;
  create index accounts_to_import on adopted.accounts (batch) where base_seq is null;
  analyze adopted.accounts;
end;
$$;
comment on function adopted.plan(bigint) is 'Plans the whole adoption, in batches of about this many entries.';
