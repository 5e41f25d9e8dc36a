begin;
select plan(8);

create temp table own as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase', now() + interval '1 day');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select balance from fail_generation((select job_id from job))), 500::bigint,
  'what expired during a failure comes back for the grace period');
select is((select row(from_balance, to_balance)
  from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 500, 'there')),
  row(0::bigint, 500::bigint), 'it may be transferred');
create temp table there as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000b2', 'standard-image', '{"prompt": "a"}');
update credit_grants set expires_at = now() - interval '1 second'
  where account_id = '00000000-0000-4000-8000-0000000000b2';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select balance from fail_generation((select job_id from there))), 0::bigint,
  'but gets no other grace period there');

-- Monthly credits roll over up to a cap.
insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap) values ('capped', 1000, 'capped', 200);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'capped');
select from refill_plans();
select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
  900, 'parked');
select is((select expires_at from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000b2' and amount = 900),
  (date_trunc('month', now() at time zone 'utc') + interval '1 month') at time zone 'utc',
  'in another account they end with the month');
select from transfer_credits('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000a1',
  900, 'back');
select is((select expires_at from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000a1' and amount = 900),
  (date_trunc('month', now() at time zone 'utc') + interval '1 month') at time zone 'utc',
  'and so when they come back');

-- And where the account has left the plan, what the cap let stay.
select from set_account_plan('00000000-0000-4000-8000-0000000000c3', 'capped');
select from refill_plans();
select from set_account_plan('00000000-0000-4000-8000-0000000000c3', 'default');
select results_eq($$select remaining from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000c3' and expires_at is null$$, 'values (200::bigint)',
  'what a cap let stay does not expire');
select from transfer_credits('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2',
  1000, 'all');
select is_empty($$select from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000b2' and expires_at is null$$,
  'but in its own account: elsewhere the next cap could not reach it');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
