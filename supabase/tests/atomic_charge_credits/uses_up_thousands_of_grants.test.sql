begin;
select plan(8);

select from set_model_price('large', '{"image": 13999}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
select from generate_series(1, 7000) as i, grant_credits('00000000-0000-4000-8000-0000000000a1', 2, i::text);
create temp table verdict as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'large', '{"prompt": "a cat"}');

select is((select row(status, code, cost, balance) from verdict), row(201, 'charged'::text, 13999::bigint, 1::bigint),
  'one charge takes them all but a credit');
create temp table entries as select * from credit_ledger where job_id = (select job_id from verdict);
select is((select row(count(*), sum(delta), count(distinct grant_id)) from entries),
  row(7000::bigint, -13999::numeric, 7000::bigint), 'with one entry for each');
select is((select array_agg(grant_id order by seq) from entries), (select array_agg(id order by id) from credit_grants),
  'the oldest first');
select is((select row(count(*), sum(remaining)) from credit_grants where is_open), row(1::bigint, 1::numeric),
  'one grant stays open');
select is((select row(balance, last_seq, overdraft_used) from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1'),
  row(1::bigint, 14000::bigint, 0::bigint), 'the account is at the last entry');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

update credit_accounts set credit_limit = 14000 where id = '00000000-0000-4000-8000-0000000000a1';
select is((select row(code, balance)
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'large', '{"prompt": "a cat"}')),
  row('charged'::text, -13998::bigint), 'what grants do not pay, the overdraft does');
select is((select row(overdraft_used, balance) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row(13998::bigint, -13998::bigint), 'and no more than that');

select * from finish();
rollback;
