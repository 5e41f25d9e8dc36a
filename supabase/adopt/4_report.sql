-- Gives: what an adoption would do or has done, as JSON for a person to read; what a person must decide.
-- Keeps: nothing is written.
-- Needs: plan.

create view adopted.findings with (security_invoker = true) as
select f.class, 'row' as about, e.old_id, e.account_id, coalesce((e.as_was ->> 'adopted_delta')::numeric, e.delta) as credits, e.reason,
  coalesce(e.as_was ->> 'adopted_created_at', e.created_at::text) as created_at, e.set_aside is not null as set_aside
from adopted.entries as e cross join lateral unnest(e.classes) as f (class)
union all
select f.class, 'account', null, a.account_id, coalesce(a.target, a.history),
  case f.class
    when 'balance' then format('the table says %s, the ledger %s', a.stated, a.history)
    when 'opening' then format('the table says %s, no old row', a.stated)
    when 'existing' then 'has entries in credit_ledger already'
    when 'negative' then format('ends with %s', a.target)
    when 'out-of-range' then format('in %s, sum %s, the table says %s', a.incoming, a.history, coalesce(a.stated::text, 'nothing readable'))
    else 'in the table of balances'
  end, a.since::text, a.set_aside is not null
from adopted.accounts as a cross join lateral unnest(a.classes) as f (class)
-- The rows of an unknown user say so themselves.
where not (f.class = 'unknown-users' and a.old_rows > 0);
comment on view adopted.findings is
  'Everything that a person must know or decide, a row an old row or account and class. credits: of the row, or the account''s balance.';
revoke all on table adopted.findings from public, anon, authenticated, service_role;

create function adopted.report_findings(p_sample integer)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  with numbered as (
    select f.*, row_number() over (partition by f.class order by f.about, f.account_id, f.created_at, f.old_id) as place
    from adopted.findings as f
  )
  select coalesce(jsonb_agg(to_jsonb(c) order by c.class), '[]') from (
    select n.class, count(*) filter (where n.about = 'row') as rows, count(distinct n.account_id) as accounts,
      coalesce(sum(n.credits), 0) as credits, adopted.decided(n.class) as decision,
      jsonb_agg(to_jsonb(n) - 'place' - 'class' order by n.place) filter (where n.place <= p_sample) as sample
    from numbered as n group by n.class
  ) as c;
$$;
comment on function adopted.report_findings(integer) is 'Each class that was found: how many, what was decided (null: nothing yet), and the first few.';

create function adopted.undecided()
returns text[]
language sql
stable
set search_path = '', pg_temp
as $$
  select array_agg(distinct class order by class) from adopted.findings where adopted.decided(class) is null;
$$;
comment on function adopted.undecided() is 'The classes that were found and that nobody decided about; null: none.';

create function adopted.report_totals()
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select to_jsonb(t) || to_jsonb(a) || jsonb_build_object('set_aside', (
    select coalesce(jsonb_object_agg(s.set_aside, s.count), '{}')
    from (select e.set_aside, count(*) from adopted.entries as e where e.set_aside is not null group by e.set_aside) as s))
  from (
    select count(old_id) as old_rows, count(old_id) filter (where position is not null) as moved,
      count(*) filter (where old_id is null) as adjustments, coalesce(sum(delta) filter (where old_id is not null), 0) as old_credits,
      coalesce(sum(delta) filter (where old_id is not null and position is not null), 0) as moved_credits,
      coalesce(sum(delta) filter (where old_id is null), 0) as adjusted_credits,
      min(created_at) filter (where old_id is not null) as first, max(created_at) filter (where old_id is not null) as last
    from adopted.entries
  ) as t, (
    select count(*) filter (where entries > 0) as accounts, coalesce(sum(final), 0) as balance_total,
      count(stated) as stated_accounts, coalesce(sum(stated), 0) as stated_total
    from adopted.accounts
  ) as a;
$$;
comment on function adopted.report_totals() is
  'Rows and whole credits: old_rows = moved + set_aside (by class); balance_total = moved_credits + adjusted_credits.';

create function adopted.mentions()
returns text[]
language sql
stable
set search_path = '', pg_temp
as $$
  with parts as materialized (
    select c.oid, c.relname from adopted.parts(to_regclass(adopted.source('ledger'))) as part join pg_catalog.pg_class as c on c.oid = part
  )
  select array_agg(m.what order by m.what) from (
    select format('function %s', p.oid::regprocedure) as what
    from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    where n.nspname not in ('adopted', 'credits', 'pg_catalog', 'information_schema')
      and exists (select from parts where p.prosrc ~* ('\m' || parts.relname || '\M'))
    union all
    select distinct pg_describe_object('pg_class'::regclass, r.ev_class, 0)
    from pg_catalog.pg_depend as d join pg_catalog.pg_rewrite as r on r.oid = d.objid
    join pg_catalog.pg_class as c on c.oid = r.ev_class
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
      and d.refobjid in (select oid from parts) and c.relnamespace <> 'adopted'::regnamespace
    union all
    select format('trigger %s', t.tgname) from pg_catalog.pg_trigger as t
    where t.tgrelid in (select oid from parts) and t.tgparentid = 0 and not t.tgisinternal
  ) as m;
$$;
comment on function adopted.mentions() is 'Functions, views and triggers that use the old ledger and are to be looked at.';

create function adopted.collisions(p_taken text[])
returns text[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if to_regproc('credits.entry_append') is not null then
    return null;
  end if;
  return array(
    select t.taken from unnest(p_taken) as t (taken)
    where to_regclass(split_part(t.taken, ' ', 2)) is distinct from to_regclass(adopted.source('ledger'))
    order by t.taken);
end;
$$;
comment on function adopted.collisions(text[]) is
  'Of the names that the chapters need and that are in use (p_taken), all but the old ledger''s; null when the '
  'chapters are there already.';

create function adopted.report(p_sample integer, p_taken text[])
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('source', source, 'decisions', decisions, 'totals', adopted.report_totals(),
    'findings', adopted.report_findings(p_sample), 'undecided', coalesce(adopted.undecided(), '{}'),
    'collisions', coalesce(adopted.collisions(p_taken), '{}'), 'mentions', coalesce(adopted.mentions(), '{}'))
  from adopted.adoption;
$$;
comment on function adopted.report(integer, text[]) is 'What the adoption finds and will do.';
