begin;
select plan(8);

-- Credits for 1,000,000 tokens: input 1000, cached 250, output 4000.
select is(row(q.status, q.code, q.model, q.least, q.likely, q.most, q.output_tokens),
  row(200, 'quoted'::text, 'standard-text'::text, 3::bigint, 15::bigint, 52::bigint, 8000::bigint),
  'the estimate out of a cache and a token; the estimate and the default; the bound and the maximum')
from quote_text('standard-text', '{"input_tokens": 20000, "input_estimate": 10000, "output_tokens": 8000}') as q;
select is(row(q.least, q.likely, q.most, q.output_tokens), row(3::bigint, 23::bigint, 33::bigint, 1024::bigint),
  'each choice is paid')
from quote_text('standard-text', '{"input_tokens": 20000, "input_estimate": 10000, "n": 3}') as q;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
select is(c.cost, q.most, 'the most is what a charge holds')
from quote_text('standard-text', '{"input_tokens": 20000, "input_estimate": 10000, "n": 3}') as q,
  charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-text',
    '{"input_tokens": 20000, "input_estimate": 10000, "n": 3}') as c;
select is(row(q.status, q.errors -> 0 ->> 'field'), row(400, 'output_tokens'::text), 'a bad field is named')
from quote_text('standard-text', '{"input_tokens": 20, "output_tokens": 9000}') as q;
select is(row(q.status, q.code), row(400, 'invalid_model'::text), 'so is a model that makes no text')
from quote_text('standard-image', '{"input_tokens": 20}') as q;
select is(row(q.status, q.code, q.most), row(409, 'price_changed'::text, 5::bigint), 'and a price above max_cost')
from quote_text('standard-text', '{"input_tokens": 20, "max_cost": 4}') as q;
select throws_ok($$select quote_text('standard-text', '{"input_tokens": "many"}')$$, '22023', null,
  'words are no number');
set local role authenticated;
select is((quote_text('standard-text', '{"input_tokens": 20}')).most, 5::bigint, 'users may ask');

select * from finish();
rollback;
