begin;
select plan(12);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
create temp table made as select * from create_app_key('00000000-0000-4000-8000-0000000000a1', null, 'a',
  array['standard-text'], 20);
create function pg_temp.charge(p_output integer default null, p_key text default null) returns generation_text_charge
language sql as $$
  select charge_text('00000000-0000-4000-8000-0000000000a1', null, (select key_id from made), 'standard-text',
    jsonb_build_object('input_tokens', 4000, 'input_estimate', 2000, 'output_tokens', p_output), p_key);
$$;
create function pg_temp.spent() returns bigint language sql as $$
  select spent from list_app_keys('00000000-0000-4000-8000-0000000000a1', null) order by created_at limit 1; $$;

create temp table charged as select * from pg_temp.charge(2500, 'one');
select is(row(code, cost, pg_temp.spent()), row('charged'::text, 14::bigint, 14::bigint), 'a charge counts for its key')
from charged;
select is(row((pg_temp.charge(2500, 'one')).code, pg_temp.spent()), row('request_in_flight'::text, 14::bigint),
  'a repeat does not, and is no denial of the cap');
select is(row(c.code, c.cost, c.output_tokens), row('charged'::text, 6::bigint, 1000),
  'the cap lowers what is held, as a balance does') from pg_temp.charge() as c;
select is(row(c.status, c.code, c.affordable_output_tokens), row(402, 'key_cap_reached'::text, 0::bigint),
  'beyond it nothing is charged') from pg_temp.charge() as c;
select is(row(e.status, e.code, e.model), row(402, 'key_cap_reached'::text, 'standard-text'::text),
  'which is on record')
from credit_request_events as e where e.code = 'key_cap_reached';
select from fail_generation((select job_id from charged));
select is(row(pg_temp.spent(), (pg_temp.charge(2500)).code), row(6::bigint, 'charged'::text),
  'what is refunded can be spent again');
update generation_models set enabled = true where name = 'gpt-image-1';
select is(row(c.status, c.code), row(403, 'model_not_in_key'::text), 'a model that the key does not have')
from charge_by_app_key('00000000-0000-4000-8000-0000000000a1', (select key_id from made), 'standard-image',
  '{"prompt": "a"}') as c;
create temp table pictures as select key_id from create_app_key('00000000-0000-4000-8000-0000000000a1', null, 'b',
  null, 700);
select is(row(c.status, c.cost), row(201, 500::bigint), 'a picture is charged by a key too')
from charge_by_app_key('00000000-0000-4000-8000-0000000000a1', (select key_id from pictures), 'standard-image',
  '{"prompt": "a"}', p_start => true) as c;
select is(row(c.status, c.code), row(402, 'key_cap_reached'::text), 'as far as its cap goes')
from charge_by_app_key('00000000-0000-4000-8000-0000000000a1', (select key_id from pictures), 'standard-image',
  '{"prompt": "a"}') as c;
select is((charge_by_app_key('00000000-0000-4000-8000-0000000000b2', (select key_id from pictures), 'standard-image',
  '{"prompt": "a"}')).code, 'invalid_app_key', 'a key charges its own account alone');
select from revoke_app_key('00000000-0000-4000-8000-0000000000a1', null, (select key_id from made));
select is(row(c.status, c.code), row(401, 'invalid_app_key'::text), 'a revoked key charges nothing')
from pg_temp.charge(1) as c;
select is_empty('select from reconciliation_discrepancies', 'the books are right');

select * from finish();
rollback;
