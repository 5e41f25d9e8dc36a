begin;
select plan(14);

-- Credits for 1,000,000 tokens: input 1000, output 4000.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
create temp table made as select key_id from create_app_key('00000000-0000-4000-8000-0000000000a1', null, 'a');
create temp table jobs as select c.job_id as id, place
from generate_series(1, 3) as place, charge_text('00000000-0000-4000-8000-0000000000a1', null,
  (select key_id from made), 'standard-text', jsonb_build_object('input_tokens', 20000, 'input_estimate', 3000 * place,
  'output_tokens', 8000)) as c;
create function pg_temp.job(p_place integer) returns uuid language sql as $$ select id
  from jobs where place = p_place $$;

select ok(note_generation_progress(pg_temp.job(1), '{"input_tokens": 3000, "output_tokens": 10}'),
  'an open job goes on');
select ok(note_generation_progress(pg_temp.job(1), '{"input_tokens": 3000, "output_tokens": 20}'),
  'also at once again');
select is(usage, '{"input_tokens": 3000, "output_tokens": 10}', 'but more than once a second is not written')
from generation_usage where job_id = pg_temp.job(1);
select from generate_series(1, 20) as i,
  lateral (select note_generation_progress(pg_temp.job(1), jsonb_build_object('input_tokens', 3000,
    'output_tokens', 1000 + 0 * i))) as n;
update generation_usage set noted_at = noted_at - interval '2 seconds';
select from note_generation_progress(pg_temp.job(1), '{"input_tokens": 3000, "output_tokens": 1000}');
select is(row(usage ->> 'output_tokens', usage_source), row('1000'::text, 'progress'::text), 'two seconds later it is')
from generation_usage where job_id = pg_temp.job(1);
select is(pg_stat_get_xact_tuples_hot_updated('generation_usage'::regclass),
  pg_stat_get_xact_tuples_updated('generation_usage'::regclass), 'on its page, without touching an index');
select throws_ok(format('select note_generation_progress(%L, %L)', pg_temp.job(1), '{"output_tokens": "many"}'),
  '22023',
  null, 'a usage has numbers');
select ok(not note_generation_progress('00000000-0000-4000-8000-000000000000', '{}'), 'an unknown job does not go on');

select from note_generation_progress(pg_temp.job(3), '{"output_tokens": 0}');
update generation_jobs set deadline_at = now() - interval '1 minute';
select is(sweep_overdue_jobs(), 3, 'the sweep ends them all');
select is(row(j.status, j.cost, j.refunded, j.actual_cost, u.usage_source),
  row('succeeded'::generation_job_status, 52::bigint, 45::bigint, 7::bigint, 'estimated'::text),
  'what was delivered is charged: 3 + 4')
from generation_jobs as j join generation_usage as u on u.job_id = j.id where j.id = pg_temp.job(1);
select is(output ->> 'finish_reason', 'deadline', 'and says how it ended')
  from generation_jobs where id = pg_temp.job(1);
select is(row(j.status, j.refunded), row('expired'::generation_job_status, 52::bigint), 'what was not, is refunded')
from generation_jobs as j where j.id = pg_temp.job(2);
select is(row(j.status, j.cost - j.refunded), row('succeeded'::generation_job_status, 1::bigint),
  'delivered text is never free') from generation_jobs as j where j.id = pg_temp.job(3);
select ok(not note_generation_progress(pg_temp.job(1), '{"output_tokens": 9}'), 'an ended job does not go on');
select is(spent, 8::bigint, 'the key spent what was charged')
from list_app_keys('00000000-0000-4000-8000-0000000000a1', null);

select * from finish();
rollback;
