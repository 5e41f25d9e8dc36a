begin;
select plan(20);

select from set_model_price('free', '{"image": 0}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
select from set_model_price('free-words',
  '{"input_token": {"price": 0, "per": 1000}, "output_token": {"price": 0, "per": 1000}}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
create function pg_temp.ask(p_model text default 'free', p_key text default null) returns credit_charge_result
  language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', p_model, '{"prompt": "a cat"}', p_key)
$$;
create function pg_temp.job(p_id uuid) returns generation_jobs language sql
  as $$ select j from generation_jobs as j where id = p_id $$;
select is((select cost from quote_generation('free', '{"prompt": "a"}')), 0::bigint, 'a quote of 0');

create temp table first as select * from pg_temp.ask(p_key => 'a key');
select is((select row(status, code, cost, balance) from first), row(201, 'charged'::text, 0::bigint, 0::bigint),
  'without a credit it is charged as any other');
select is((select row(status, cost, refunded) from pg_temp.job((select job_id from first))),
  row('pending'::generation_job_status, 0::bigint, 0::bigint), 'and has a job');
select is((select count(*) from credit_ledger), 0::bigint, 'but no entry: none has a delta of 0');
select is((select rate_remaining from pg_temp.ask()), (select rate_remaining - 1 from first),
  'it counts towards the rate limit');
select is((select code from pg_temp.ask(p_key => 'a key')), 'request_in_flight', 'its key counts once');
select is((select row(code, status, cost, balance) from settle_generation((select job_id from first), '{"a": 1}')),
  row('settled'::text, 'succeeded'::generation_job_status, 0::bigint, 0::bigint), 'it is settled');
select is((select code from pg_temp.ask(p_key => 'a key')), 'replayed', 'and replayed');
select is((select code from refund_credits((select job_id from first))), 'unchanged', 'there is nothing to refund');

select is((select row(code, status, refunded) from fail_generation((select job_id from pg_temp.ask()))),
  row('failed'::text, 'failed'::generation_job_status, 0::bigint), 'one that fails ends');
select is((select row(code, status, refunded) from cancel_generation((select job_id from pg_temp.ask()))),
  row('canceled'::text, 'canceled'::generation_job_status, 0::bigint), 'or is canceled');
create temp table late as select * from pg_temp.ask('free-words');
update generation_jobs set deadline_at = now() where id = (select job_id from late);
select is(sweep_overdue_jobs(), 1, 'or is swept');
select is((select status from pg_temp.job((select job_id from late))), 'expired'::generation_job_status,
  'at its deadline');
select is((select count(*) from credit_events), 0::bigint, 'no refund is announced that was none');

select is((select row(code, cost, refunded)
  from settle_generation((select job_id from pg_temp.ask('free-words')), '{}',
    p_actual_usage => '{"output_tokens": 9000}')),
  row('settled'::text, 0::bigint, 0::bigint), 'however much is used, it stays free');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select is((select array_agg(row(code, cost, balance)::text)
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
    '[{"model": "free", "input": {"prompt": "a"}}, {"model": "standard-image", "input": {"prompt": "a"}},
      {"model": "free", "input": {"prompt": "a"}}]')),
  array['(charged,0,5000)', '(charged,500,4500)', '(charged,0,4500)'], 'in a batch it stands beside others');
update generation_jobs set deadline_at = now() + interval '1 day' where status = 'pending';
update credit_plans set max_concurrent_jobs = 4 where name = 'default';
select is((select code from pg_temp.ask()), 'too_many_jobs', 'it takes a place as any other');
update credit_plans set rate_limit_requests = 1 where name = 'default';
select is((select code from pg_temp.ask()), 'rate_limited', 'and is limited as any other');
select is((select discrepancies from reconciliation_summary), 0::bigint, 'the books are sound');
select is((select count(*) from reconcile_credit_ledger(true) as r where r.discrepancies > 0), 0::bigint,
  'and verified');

select * from finish();
rollback;
