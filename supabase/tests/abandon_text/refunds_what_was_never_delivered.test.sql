begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, p_expires_at => now() + interval '1 hour');
create temp table jobs as select c.job_id as id, place
from generate_series(1, 2) as place, charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-text',
  jsonb_build_object('input_tokens', 20000, 'input_estimate', 3000 * place)) as c;

select is(row(a.code, a.cost, a.refunded, a.balance), row('canceled'::text, 25::bigint, 25::bigint, 975::bigint),
  'a client that left before the first token pays nothing')
from abandon_text((select id from jobs where place = 1)) as a;
select is((abandon_text((select id from jobs where place = 1))).code, 'unchanged', 'once');
select is(error ->> 'code', 'canceled', 'its job says why') from generation_jobs where status = 'canceled';
select from note_generation_progress((select id from jobs where place = 2),
  '{"input_tokens": 3000, "output_tokens": 9}');
select is(row(a.code, a.cost - a.refunded), row('settled'::text, 4::bigint), 'what was delivered is charged')
from abandon_text((select id from jobs where place = 2)) as a;
select throws_ok($$select abandon_text('00000000-0000-4000-8000-000000000000')$$, 'PT404', null, 'an unknown job');
select is((select count(*) from generation_jobs where status = 'failed'), 0::bigint, 'none of it is a failure');
select is_empty('select from reconciliation_discrepancies', 'the books are right');

select * from finish();
rollback;
