begin;
select plan(4);

-- b2 owns the team c3 with 1000 credits; b3 may spend 10 of them a month.
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b3',
  'admin', 10);
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 1000);
create temp table made as select key_id from create_app_key('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b3', 'a');
create function pg_temp.charge(p_member text, p_request jsonb) returns generation_text_charge language sql as $$
  select charge_text('00000000-0000-4000-8000-0000000000c3',
    ('00000000-0000-4000-8000-0000000000' || p_member)::uuid,
    case when p_member is null then (select key_id from made) end, 'standard-text', p_request); $$;

select is(row(c.status, c.code, c.affordable_output_tokens), row(402, 'member_cap_reached'::text, 250::bigint),
  'a maximum beyond the member''s cap is denied, with what it leaves')
from pg_temp.charge('b3', '{"input_tokens": 20000, "input_estimate": 9000, "output_tokens": 1000}') as c;
select is(row(c.status, c.cost, c.output_tokens), row(201, 10::bigint, 250), 'without one, the cap lowers what is held')
from pg_temp.charge(null, '{"input_tokens": 20000, "input_estimate": 9000}') as c;
select is(row(c.status, c.code, c.affordable_output_tokens), row(402, 'member_cap_reached'::text, 0::bigint),
  'a key of theirs has spent for them')
from pg_temp.charge('b3', '{"input_tokens": 20, "input_estimate": 9}') as c;
select is(row(c.status, c.code), row(403, 'not_a_member'::text), 'a stranger is told nothing else')
from pg_temp.charge('a1', '{"input_tokens": 20, "input_estimate": 9}') as c;

select * from finish();
rollback;
