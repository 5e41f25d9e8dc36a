-- A model that is paid by the token: 10 credits for 1,000 in, 30 for 1,000 out.
select from set_model_price('chat', '{"input_token": {"price": 10, "per": 1000}, "output_token": {"price": 30, "per": 1000}}', p_settings =>
  '{"provider": "placeholder", "provider_model": "placeholder", "max_input_tokens": 4000, "max_output_tokens": 2000}');

select balance from grant_credits('00000000-0000-4000-8000-000000000ada', 1000, 'bought', 'purchase');

-- The charge reserves the most that the request can use …
create temp table chat as
select * from atomic_charge_credits('00000000-0000-4000-8000-000000000ada', 'chat', '{"prompt": "Hello", "output_tokens": 1000}');

select cost, balance from chat;

-- … and the settlement books what it used: 12 + 9.03 credits, rounded up once.
select code, cost, refunded, balance
from settle_generation((select job_id from chat), '{"text": "Hi."}', p_actual_usage => '{"input_tokens": 1200, "output_tokens": 301}');

-- What it did not use is released: the ledger shows the whole hold, and what went back of it.
select kind, delta, balance_after from credit_ledger where job_id = (select job_id from chat) order by seq;

-- A price change takes effect from its time on and leaves past jobs alone.
select set_model_price('chat', '{"input_token": {"price": 20, "per": 1000}, "output_token": {"price": 60, "per": 1000}}',
  now() + interval '1 day') > now() as is_to_come;

select cost from quote_generation('chat', '{"prompt": "Hello", "input_tokens": 1000, "output_tokens": 1000}');
