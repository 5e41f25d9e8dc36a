begin;
select plan(4);

-- Every model with every input, asked of both: where they differ, somebody was quoted what they do not get.
select from (values
  ('short-prompt', '{"image": 7}', '{"max_prompt_length": 20}'),
  ('one-letter', '{"image": 7}', '{"max_prompt_length": 1, "max_n": 1}'),
  ('pixels', '{"megapixel": 333}', '{"allowed_sizes": ["1024x1024", "512x512"]}'),
  ('clips', '{"second": 10}', '{"allowed_sizes": ["1280x720"], "max_seconds": 9}'),
  ('words', '{"input_token": {"price": 3, "per": 1000}, "output_token": {"price": 11, "per": 1000}}', '{}'),
  ('spoken', '{"character": {"price": 15, "per": 60}}', '{"allowed_sizes": ["512x512"]}'),
  ('flat', '{"request": 7}', '{}'),
  ('free', '{"image": 0}', '{}'),
  ('off', '{"image": 7}', '{"enabled": false}')
) as m (name, rates, settings),
  set_model_price(m.name, m.rates::jsonb,
    p_settings => '{"provider": "placeholder", "provider_model": "p"}' || m.settings::jsonb);
update credit_plans set rate_limit_requests = 10000, max_concurrent_jobs = 1000;
create temp table models as
select name, md5(coalesce(name, ''))::uuid as account_id
from (select name from generation_models union select 'no-such-model' union select null) as m;
select grant_credits(account_id, 1000000000) from models;

create temp table inputs as
select i.input, row_number() over () as place
from (select (jsonb_build_object('prompt', p.value) || s.value || u.value) as input
from jsonb_array_elements(jsonb_build_array('a', '', repeat('a', 20), repeat('ä', 21), '🦊', 5, null)) as p
cross join jsonb_array_elements('[{}, {"width": 512, "height": 512}, {"width": 1280, "height": 720},
  {"height": "512"}]') as s
cross join jsonb_array_elements('[{}, {"n": 2}, {"n": 5}, {"n": 0.5}, {"seconds": 9}, {"seconds": 10},
  {"input_tokens": 0}, {"output_tokens": 999}, {"type": "image"}, {"type": "video", "aspect_ratio": "1:1"},
  {"voice": 7}, {"format": "wav"}, {"max_cost": 7}, {"max_cost": 0},
  {"max_cost": -1}, {"max_cost": "7"}, {"n": 1, "seed": 7, "unknown": []}]') as u
union select value from jsonb_array_elements('[null, [], "a", 1, {}]')
union select jsonb_build_object('prompt', 'a', 'more', repeat('a', 131072))) as i;

create temp table answers as
select m.name as model, i.input, q.status as quote_status, case q.status when 200 then 201 else q.status end as status,
  q.code, q.cost, q.errors, q.message,
  c.status as charge_status, c.code as charge_code, coalesce(c.cost, c.required) as charge_cost,
  c.errors as charge_errors, c.message as charge_message
from models as m
cross join lateral atomic_charge_credits_batch(m.account_id,
  (select jsonb_agg(jsonb_build_object('model', m.name, 'input', input) order by place) from inputs),
  false) with ordinality as c
join inputs as i on i.place = c.ordinality
cross join lateral quote_generation(m.name, i.input) as q;
select cmp_ok((select count(*) from answers where quote_status = 200), '>', 200::bigint, 'many inputs have a price');
select set_eq('select distinct quote_status from answers', array[200, 400, 409],
  'others none, or one above what was agreed to');
select is_empty($$select model, input, status, charge_status, cost, charge_cost from answers
  where (status, cost) is distinct from (charge_status, charge_cost)$$, 'what is quoted is what is charged');
select is_empty($$select model, input, code, charge_code, errors, charge_errors from answers
  where quote_status <> 200 and (code, errors, message) is distinct from (charge_code, charge_errors, charge_message)$$,
  'and what is refused, for the same reason');

select * from finish();
rollback;
