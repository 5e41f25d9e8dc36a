begin;
select plan(7);

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000e1', 'anna@example.com');
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700);
select from set_model_price('gratis', '{"image": 0}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
create temp table job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}', 'key-1', 'request-1');
select from settle_generation((select job_id from job), '{"outputs": []}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}', 'key-1', 'request-2');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a dog"}', null, 'request-3');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'gratis', '{"prompt": "a cat"}');
insert into payments (key, account_id, provider, livemode, kind, status, state, cause, amount, currency, paid_at,
  created_at) values ('stripe:cs:1', '00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'pack', 'paid', 'waiting',
  'unknown_price', 900, 'usd', now(), now());
insert into payment_disputes (provider, dispute_id, payment_key, account_id, status, amount, withdrawn, reinstated,
  response, opened_at, ended_at) values ('stripe', 'dp_1', 'stripe:cs:1', '00000000-0000-4000-8000-0000000000a1',
    'lost',
  900, 900, 0, 'none', now(), now());
select credits.action_append(jsonb_populate_record(null::operator_actions, jsonb_build_object('operator_id',
  '00000000-0000-4000-8000-0000000000e1', 'action', 'set_plan', 'account_id', '00000000-0000-4000-8000-0000000000a1',
  'arguments', '{}'::jsonb, 'before', '{"plan": "default"}'::jsonb, 'after', '{"plan": "pro"}'::jsonb, 'reason',
  'she asked for it', 'idempotency_key', 'k')));
insert into account_erasures (account_id) values ('00000000-0000-4000-8000-0000000000a1');

select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
create temp table timeline as select * from operator_timeline('00000000-0000-4000-8000-0000000000a1');
reset role;

select results_eq($$select kind, title, detail ->> 'rule' from timeline where kind in ('denial', 'repeat')
  order by kind$$,
  $$values ('denial', 'Denied: Not enough credits', 'This costs … credits and … are there. Nothing was charged.'),
    ('repeat', 'The same request again: answered, not charged', null)$$, 'a denial with its rule; a repeat');
select is((select job_id from timeline where kind = 'repeat'), (select job_id from job), 'a repeat leads to its job');
select results_eq($$select title, credits from timeline where detail ->> 'model' = 'gratis'$$,
  $$values ('Free of charge, gratis: the job has not started', 0::bigint)$$, 'a job that is free');
select results_eq($$select title, payment_id, detail ->> 'amount', detail ->> 'rule' ~ 'No product' from timeline
    where kind = 'payment'$$,
  $$values ('Payment paid, and not booked: unknown price', 'stripe:cs:1', '900', true)$$,
  'a payment that waits, why, and what to do');
select set_eq($$select title from timeline where kind = 'dispute'$$, array['Dispute opened', 'Dispute lost'],
  'a dispute, when it began and when it ended');
select results_eq($$select title, operator_id, action_seq, detail ->> 'operator', detail ->> 'reason' from timeline
    where kind = 'operator'$$,
  $$values ('Plan changed from default to pro', '00000000-0000-4000-8000-0000000000e1'::uuid, 1::bigint,
    'anna@example.com', 'she asked for it')$$, 'an operator by name, and why');
select is((select count(*) from timeline where kind = 'erasure'), 1::bigint, 'an erasure');

select * from finish();
rollback;
