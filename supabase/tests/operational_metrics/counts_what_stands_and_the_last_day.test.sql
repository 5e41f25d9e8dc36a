begin;
select plan(22);

-- A value by its metric's name and some of its labels.
create function pg_temp.metric(p_name text, p_labels jsonb default '{}') returns numeric language sql as
  $$select value from operational_metrics() where metric = 'atomic_credits_' || p_name and labels @> p_labels$$;
update credit_settings set low_balance_credits = 0;
create temp table before as select * from operational_metrics();
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1600);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table failed as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table open as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from settle_generation((select job_id from job), '{"outputs": []}');
select from fail_generation((select job_id from failed));

select is(pg_temp.metric('accounts'), (select value + 1 from before where metric = 'atomic_credits_accounts'),
  'accounts');
select is(pg_temp.metric('outstanding_credits'), (select sum(balance) from credit_accounts),
  'what is owed to customers');
select is(pg_temp.metric('ledger_entries_total'), (select count(*)::numeric from credit_ledger),
  'entries, counted without reading them');
select is(pg_temp.metric('moved_credits', '{"kind": "charge", "direction": "out", "window": "24h"}'), 1500::numeric,
  'credits charged');
select is(pg_temp.metric('moved_credits', '{"kind": "refund", "direction": "in"}'), 500::numeric, 'credits refunded');
select is(pg_temp.metric('moved_credits', '{"kind": "grant", "direction": "in"}'), 1600::numeric, 'credits granted');
select is(pg_temp.metric('jobs', '{"status": "succeeded", "model": "standard-image"}'), 1::numeric,
  'jobs by status and model');
select is(pg_temp.metric('ended_jobs', '{"status": "failed", "provider": "placeholder"}'), 1::numeric,
  'jobs that ended, by provider');
select is(pg_temp.metric('success_ratio'), 0.5, 'one of two succeeded');
select is(pg_temp.metric('open_jobs'), 1::numeric, 'one is open');
select is(pg_temp.metric('denials', '{"code": "insufficient_credits"}'), 1::numeric, 'a denial');
select is(pg_temp.metric('rate_limit_hits'), 0::numeric, 'which was not for a limit');
select is(array[pg_temp.metric('events_pending'), pg_temp.metric('events_given_up')], array[1, 0]::numeric[],
  'the event of the refund waits');
update credit_events set next_attempt_at = null, attempts = 17 where type = 'job.refunded';
select is(array[pg_temp.metric('events_pending'), pg_temp.metric('events_given_up')], array[0, 1]::numeric[],
  'until it is given up');
update credit_events set created_at = now() - interval '145 hours';
select is(pg_temp.metric('events_given_up', '{"window": "144h"}'), 0::numeric, 'which is told for six days');
update generation_jobs set deadline_at = now() - interval '4 minutes' where id = (select job_id from open);
select is(pg_temp.metric('overdue_jobs'), 0::numeric, 'the sweep has a few minutes for a job that is overdue');
update generation_jobs set created_at = now() - interval '25 hours', deadline_at = now() - interval '1 hour'
  where id = (select job_id from open);
select is(array[pg_temp.metric('overdue_jobs'), pg_temp.metric('oldest_open_job_age_seconds')],
  array[1, 90000]::numeric[], 'a job of yesterday is overdue, and its age is told');
select is(pg_temp.metric('jobs', '{"status": "pending"}'), null, 'but it is none of the last day');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
  'canceled') as c, cancel_generation(c.job_id);
select is(pg_temp.metric('ended_jobs', '{"status": "canceled"}'), 1::numeric,
  'a canceled one has ended, and is told apart');
select from set_model_price('painter', '{"image": 1}',
  p_settings => '{"provider": "replicate", "provider_model": "p"}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'painter', '{"prompt": "a cat"}') as c,
  start_generation(c.job_id, 'at-the-provider');
select is(pg_temp.metric('late_provider_jobs'), null, 'a job that its provider has is not late');
update generation_provider_jobs set expected_by = now() - interval '1 second';
select is(pg_temp.metric('late_provider_jobs', '{"provider": "replicate"}'), 1::numeric, 'until its time limit');
set local role authenticated;
select throws_ok('select from operational_metrics()', '42501', null, 'no user reads them');

select * from finish();
rollback;
