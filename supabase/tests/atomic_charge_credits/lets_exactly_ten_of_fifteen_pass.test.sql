begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
update credit_plans set max_concurrent_jobs = 100 where name = 'default';
create temp table verdict as select i, v.*
  from generate_series(1, 15) as i,
    lateral atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
      jsonb_build_object('prompt', 'cat ' || i)) as v;

select results_eq('select status, count(*) from verdict group by status order by status',
  $$values (201, 10::bigint), (429, 5)$$, 'ten pass, five do not');
select is((select max(i) from verdict where status = 201), 10, 'the first ten');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000a1' and code = 'rate_limited'), 5::bigint,
  'each denial is recorded');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 5000::bigint,
  'ten were charged');

select * from finish();
rollback;
