begin;
select plan(1);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
insert into credit_plans (name, rate_limit_requests, rate_limit_window_seconds) values ('seven', 7, 60);
update credit_accounts set plan = 'seven' where id = '00000000-0000-4000-8000-0000000000a1';
select is((select count(*) from generate_series(1, 9) as i,
  lateral atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', 'cat ' || i)) as v where v.status = 201), 7::bigint, 'seven of nine pass');

select * from finish();
rollback;
