begin;
select plan(3);

-- 1,000 a month, of which 200 roll over. Five jobs of 200 are open when the month turns.
insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap) values ('capped', 1000, 'capped', 200);
select from set_model_price('m200', '{"image": 200}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
create function pg_temp.ask() returns uuid language sql as
  $$ select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'm200', '{"prompt": "a"}') $$;
select set_account_plan('00000000-0000-4000-8000-0000000000a1', 'capped');
select credits.account_refill('00000000-0000-4000-8000-0000000000a1', now() - interval '1 month');
update credit_accounts set refilled_for = null where id = '00000000-0000-4000-8000-0000000000a1';
select credits.account_refill('00000000-0000-4000-8000-0000000000a1', now() - interval '1 month')
  where not exists (select from credit_grants);
-- Not refilled by these charges.
update credit_accounts set refilled_for = date_trunc('month', now())::date;
create temp table jobs as select i, pg_temp.ask() as id from generate_series(1, 5) as i;
update credit_accounts set refilled_for = (date_trunc('month', now()) - interval '1 month')::date;
select credits.account_refill('00000000-0000-4000-8000-0000000000a1', now());
select is((select balance from credit_accounts), 1000::bigint, 'the new month has its credits');

-- What comes back is spent for good before the next cancel.
create function pg_temp.cancel_and_spend(p_job integer) returns bigint language plpgsql as $$
begin
  perform cancel_generation((select id from jobs where i = p_job));
  perform settle_generation(pg_temp.ask(), '{"a": 1}');
  return (select balance from credit_accounts);
end;
$$;
select is(array(select pg_temp.cancel_and_spend(i) from generate_series(1, 5) as i),
  array[1000, 800, 600, 400, 200]::bigint[],
  'the cap lets 200 of the month before come back, once');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
