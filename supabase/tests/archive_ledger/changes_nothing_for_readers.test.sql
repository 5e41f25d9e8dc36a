begin;
select plan(9);

create temp table answers (name text, archived boolean, answer text);
create function pg_temp.note(p_archived boolean) returns void language sql as $$
  insert into answers
  select 'statement', p_archived, string_agg(s::text, ';' order by s::text)
  from account_statement('00000000-0000-4000-8000-0000000000a1', '-infinity', 'infinity') as s
  union all select 'balances', p_archived, string_agg(balance_as_of(account_id, created_at)::text, ';' order by seq)
  from credit_ledger
  union all select 'journal', p_archived, string_agg(j::text, ';' order by j::text) from credit_journal as j
  union all select 'liability', p_archived, string_agg(d::text, ';') from credit_liability_daily as d
  union all select 'trail', p_archived, string_agg(t::text, ';' order by t::text) from credit_request_trail as t
  union all select 'summary', p_archived, s::text from reconciliation_summary as s;
$$;

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, p_expires_at => now() + interval '1 day');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    p_request_id => 'r-1');
select from settle_generation((select job_id from job), '{}');
select from refund_credits((select job_id from job), 100, 'sorry');
select from reconcile_credit_ledger();
select pg_temp.note(false);
select is(entries, 4::bigint, 'all is archived') from archive_ledger(clock_timestamp());
select pg_temp.note(true);
select is_empty('select name from answers group by name having count(distinct answer) <> 1 or count(answer) <> 2',
  'every view and function answers as before');

select is((select code from refund_credits((select job_id from job), 100, 'sorry')), 'unchanged',
  'a part that was refunded before is known');
select is((select refunded from refund_credits((select job_id from job))), 500::bigint,
  'the rest of an old charge can be refunded');
select is((select remaining from credit_grants where expires_at is not null), 1000::bigint,
  'to the grant that it came from');
select is((select row(deep, discrepancies)::text from reconcile_credit_ledger(true)), '(t,0)', 'and the books agree');

select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1),
  verify_ledger('00000000-0000-4000-8000-0000000000b2');
select from archive_ledger(clock_timestamp());
set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000b2", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000b2', true);
select is((select array_agg(distinct account_id) from credit_ledger_archive),
  array['00000000-0000-4000-8000-0000000000b2'::uuid], 'a user sees their own archive');
select is((select array_agg(distinct account_id) from credit_ledger),
  array['00000000-0000-4000-8000-0000000000b2'::uuid], 'and through the ledger no other');
select throws_ok('select archive_ledger(now())', '42501');

select * from finish();
rollback;
