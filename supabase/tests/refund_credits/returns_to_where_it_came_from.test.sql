begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'first');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'second');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from refund_credits((select job_id from job), 250, 'part');
select results_eq($$select reason, remaining from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000a1' order by id$$,
  $$values ('first', 50::bigint), ('second', 300)$$, 'last consumed first');
update credit_grants set expires_at = now() - interval '1 second'
  where account_id = '00000000-0000-4000-8000-0000000000a1' and reason = 'first';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select balance from refund_credits((select job_id from job))), 600::bigint, 'the rest');
select results_eq($$select amount, remaining, expires_at > now() + interval '29 days' from credit_grants
  where kind = 'refund'$$, $$values (250::bigint, 250::bigint, true)$$,
  'an expired grant''s credits come back with a grace period');
select is((select reason from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1' order by seq desc
  limit 1),
  'refund to grant ' || (select id from credit_grants where reason = 'first') || ', which has expired',
  'and the entry says why');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
