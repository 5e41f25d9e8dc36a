begin;
select plan(5);

select from set_model_price('open', '{"input_token": 1, "output_token": 1}',
  p_settings => '{"provider": "placeholder", "provider_model": "p", "overage": "overdraft"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
create temp table made as select key_id as id
  from create_app_key('00000000-0000-4000-8000-0000000000a1', null, 'a', p_monthly_cap => 300);
create function pg_temp.asked() returns uuid language sql as $$
  select job_id from charge_text('00000000-0000-4000-8000-0000000000a1', null, (select id from made), 'open',
    '{"input_tokens": 20, "output_tokens": 80}'); $$;
create temp table jobs as select place, pg_temp.asked() as id from generate_series(1, 3) as place;

select is((select cost from settle_text((select id from jobs where place = 1),
  '{"input_tokens": 10, "output_tokens": 40}', 'reported')), 100::bigint, 'less than was held gives back');
select is((select cost from settle_text((select id from jobs where place = 2),
  '{"input_tokens": 20, "output_tokens": 5000}', 'reported')), 150::bigint, 'more is charged as far as the cap goes');
select is((select spent from list_app_keys('00000000-0000-4000-8000-0000000000a1', null)), 300::bigint,
  'the cap is used up, and not passed');
update credit_app_keys set spent = 0, spent_month = spent_month + interval '1 month';
select is((select cost from settle_text((select id from jobs where place = 3),
  '{"input_tokens": 20, "output_tokens": 5000}', 'reported')), 100::bigint,
  'after the month''s turn a job of the month before costs no more than was held');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
