begin;
select plan(13);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'pack', 'purchase', '2099-01-01');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 200, 'other');
create function pg_temp.reverse(p_target bigint) returns credit_reversal_result language sql as
  $$select reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), p_target, 'dispute')$$;
create temp view state as select a.balance, a.debt, g.reversed, g.remaining
  from credit_accounts as a, credit_grants as g where g.id = (select grant_id from bought);

select is((select row(reversed, taken, replayed) from pg_temp.reverse(400)), row(400::bigint, 400::bigint, false),
  'a part refund takes a part, from the grant first');
select is((select row(reversed, taken, replayed) from pg_temp.reverse(400)), row(400::bigint, 0::bigint, true),
  'the same target moves nothing');
select is((select row(taken, debt) from pg_temp.reverse(null)), row(300::bigint, 300::bigint),
  'without a target all of it is taken back');
select is((select row(balance, debt, reversed, remaining) from state),
  row(0::bigint, 300::bigint, 1000::bigint, 0::bigint), 'in all, not once more');
select is((select row(taken, debt) from pg_temp.reverse(900)), row(0::bigint, 200::bigint),
  'a smaller target forgives the debt first');
select is((select row(taken, debt, balance) from pg_temp.reverse(600)), row(-100::bigint, 0::bigint, 100::bigint),
  'then gives back, the last first');
select is((select remaining from credit_grants where reason = 'other'), 100::bigint, 'to where it was taken');
select from pg_temp.reverse(1000);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'third');
select is((select row(balance, debt) from state), row(700::bigint, 0::bigint), 'a debt that was paid');
update credit_grants set expires_at = now() - interval '1 second' where id = (select grant_id from bought);
update credit_grants as g set seal = credits.grant_seal(g);
select is((select row(taken, balance) from pg_temp.reverse(0)), row(-1000::bigint, 1700::bigint),
  'comes back to what paid it');
select is((select row(sum(remaining), min(expires_at) > now() + interval '29 days') from credit_grants
  where kind = 'refund'), row(500::numeric, true), 'what has expired in its grace period');
select is((select results
  from (select string_agg(reason || ' ' || remaining, ', ' order by id) as results from credit_grants
    where kind <> 'refund') as r), 'pack 0, other 200, third 1000', 'the rest as it was');
select throws_ok('select pg_temp.reverse(1001)', '22023', 'target must be 0 to the grant''s 1000 credits',
  'no more than there was');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
