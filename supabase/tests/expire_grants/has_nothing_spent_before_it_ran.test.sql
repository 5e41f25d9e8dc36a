begin;
select plan(11);

-- 900 credits have expired, and expire_grants has not run; 1100 are left. The balance still holds both.
update credit_plans set credit_limit = 200 where name = 'default';
create temp table expired as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 900, 'expiring', p_expires_at => now() + interval '1 day',
    p_priority => 1::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1100);
update credit_grants set expires_at = now() where id = (select grant_id from expired);
update credit_grants as g set seal = credits.grant_seal(g);
create temp view expired_now as select remaining from credit_grants where id = (select grant_id from expired);

select throws_ok($$select from transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 1101, 'ref')$$, 'PT402', '1 credits are missing for this transfer',
  'a transfer cannot take them');
select is((select from_balance
  from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 100, 'ref')),
  1900::bigint, 'it takes others');

create temp table batch as select * from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "input": {"prompt": "a"}}, {"model": "standard-image", "input": {"prompt": "b"}}]',
  false);
select results_eq('select status from batch', 'values (201), (201)', 'a batch is paid out of what is left');
select is((select remaining from expired_now), 900::bigint, 'the expired grant is untouched');

select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default');
select from set_model_price('open', '{"second": 100}',
  p_settings => '{"provider": "placeholder", "provider_model": "p", "overage": "overdraft", "max_seconds": 5}');
select from fail_generation((select job_id from batch where status = 201 limit 1));
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'open', '{"prompt": "a", "seconds": 4}');
select is((select row(cost, balance)
  from settle_generation((select job_id from job), '{}', p_actual_usage => '{"seconds": 20}')),
  row(700::bigint, 700::bigint), 'an overage takes what is left and the overdraft, and not the expired grant');
select is((select remaining from expired_now), 900::bigint, 'which is untouched still');
select is((select overdraft_used from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 200::bigint,
  'the overdraft is in use');
select is(expire_grants(), 1, 'then it is booked');
select is((select row(remaining, breakage) from credit_grants where id = (select grant_id from expired)),
  row(0::bigint, 900::bigint), 'whole');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), -200::bigint,
  'and the balance is what was overdrawn');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
