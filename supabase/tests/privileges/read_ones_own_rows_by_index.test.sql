begin;
select plan(11);

-- A policy is part of every query of a user. With "account_id in (select …)" Postgres reads all rows of all users,
-- however few are shown.
create temp view policies as
  select c.oid::regclass as name, pg_get_expr(p.polqual, p.polrelid) as condition from pg_policy as p
  join pg_class as c on c.oid = p.polrelid
  where c.relnamespace in ('public'::regnamespace, 'credits'::regnamespace);
select isnt_empty($$select from policies where condition ~ 'my_(paying_)?account_ids'$$,
  'policies ask whose account it is');
select is_empty($$select name from policies where condition ~ '\mIN \( SELECT'$$,
  'none as a list that is looked through for each row');
select is_empty($$select name from policies
  where condition ~ 'my_(paying_)?account_ids'
    and condition !~
      '^\(\w+ = ANY \(ARRAY\( SELECT credits\.my_(paying_)?account_ids\(\) AS my_(paying_)?account_ids\)\)\)$'$$,
  'each as an array that an index is asked for');

-- One account among 5,000.
create temp table others as select gen_random_uuid() as id, i from generate_series(1, 5000) as i;
insert into others values ('00000000-0000-4000-8000-0000000000a1', 0);
insert into credit_accounts (id, user_id) select id, id from others;
insert into account_members (account_id, user_id) select id, id from others;
insert into credit_grants (account_id, kind, amount) select id, 'grant', 1 from others;
insert into credit_ledger (account_id, seq, delta, balance_after, kind, created_at, hash)
  select id, 1, 1, 1, 'grant', now(), '' from others;
insert into credit_ledger_archive (account_id, seq, delta, balance_after, kind, created_at, hash)
  select id, 1, 1, 1, 'grant', now(), '' from others;
insert into generation_jobs (account_id, model, price_effective_from, provider, cost, input, request_hash, deadline_at)
select id, 'standard-image', now(), 'placeholder', 1, '{}', '', now() from others;
insert into payments (key, account_id, provider, livemode, kind, created_at)
  select 'stripe:cs:' || i, id, 'stripe', true, 'pack', now() from others;
insert into payment_subscriptions (provider, subscription_id, livemode, account_id, status, as_of, created_at)
  select 'stripe', i, true, id, 'active', now(), now() from others;
analyze credit_accounts, account_members, credit_grants, credit_ledger, credit_ledger_archive, generation_jobs,
  payments, payment_subscriptions;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000a1", "role": "authenticated"}',
  true),
  set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000a1', true);
set local role authenticated;
create function pg_temp.scans(p_table text) returns text[] language plpgsql as $$
declare
  plan json;
begin
  execute format('explain (format json) select %s from %s',
    case p_table when 'generation_jobs' then 'id, status, cost' when 'payments' then 'key, status, amount'
      when 'payment_subscriptions' then 'plan, status' else '*' end, p_table) into plan;
  return array(select distinct replace(scan #>> '{}', 'Bitmap ', '')
    from jsonb_path_query(plan::jsonb, 'strict $.**."Node Type" ? (@ like_regex "Seq|Index")') as scan order by 1);
end;
$$;
select is(pg_temp.scans(t), array['Index Scan'], 'an unfiltered read of ' || t || ' asks an index')
from unnest(array['credit_accounts', 'account_members', 'credit_grants', 'credit_ledger', 'credit_ledger_archive',
  'generation_jobs', 'payments', 'payment_subscriptions']) as t;

select * from finish();
rollback;
