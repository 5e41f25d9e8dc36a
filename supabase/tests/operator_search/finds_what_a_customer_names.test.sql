begin;
select plan(22);

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000e1', 'viewer@example.com'),
  ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com'),
  ('00000000-0000-4000-8000-0000000000a2', 'ann@example.com.au'),
  ('00000000-0000-4000-8000-0000000000a3', 'a_n%@example.com');
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000f1');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700, p_external_ref => 'order-7');
create temp table job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a secret cat"}', null, 'request-1');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'no such model', '{}', null, 'request-2');
insert into credit_products (provider, livemode, name, provider_price_id, kind, credits, unit_amount, currency)
  values ('stripe', true, 'pack', 'price_1', 'pack', 5, 9, 'usd');
insert into payments (key, account_id, provider, livemode, kind, session_id, intent_id, charge_id, created_at) values
  ('stripe:cs:cs_1', '00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'pack', 'cs_1', 'pi_1', 'ch_1', now()),
  ('stripe:in:in_1', '00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'plan', null, null, null, now());
insert into payment_customers values ('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
insert into payment_subscriptions (provider, subscription_id, livemode, account_id, status, as_of, created_at) values
  ('stripe', 'sub_1', true, '00000000-0000-4000-8000-0000000000a1', 'active', now(), now());
grant select on job to public;

set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);

select results_eq($$select kind, id, account_id, title from operator_search('Ann@Example.com ')$$,
  $$values ('user', '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a1'::uuid,
    'ann@example.com')$$, 'a whole mail finds its user alone');
select results_eq($$select title from operator_search('ann@exa')$$,
  $$values ('ann@example.com'), ('ann@example.com.au')$$, 'its beginning finds all that begin so');
select is_empty($$select from operator_search('nn@example')$$, 'the middle of a mail finds nothing');
select is_empty($$select from operator_search('%@example.com')$$, 'a percent sign stands for itself');
select results_eq($$select title from operator_search('a_n%')$$, $$values ('a_n%@example.com')$$,
  'so does an underscore');
select results_eq($$select kind, id from operator_search('00000000-0000-4000-8000-0000000000a1') order by 1, 2$$,
  $$values ('account', '00000000-0000-4000-8000-0000000000a1'), ('account', '00000000-0000-4000-8000-0000000000f1'),
    ('user', '00000000-0000-4000-8000-0000000000a1')$$, 'a user''s id finds the user, their account and their teams');
select results_eq($$select kind, title, detail from operator_search('00000000-0000-4000-8000-0000000000f1')$$,
  $$values ('account', 'Team', 'plan default, 0 credits')$$, 'a team''s id finds the team');
select results_eq($$select kind, title from operator_search((select job_id::text from job))$$,
  $$values ('job', 'standard-image: pending')$$, 'a job''s id finds the job');
select results_eq($$select kind, title from operator_search('request-1')$$,
  $$values ('request', 'Request charged: standard-image')$$, 'the id of an answer finds the charge');
select results_eq($$select kind, title, detail from operator_search('request-2')$$,
  $$values ('request', 'Request denied', '400 invalid_model')$$, 'or the denial');
select results_eq(format('select kind, id from operator_search(%L)', s),
  $$values ('payment', 'stripe:cs:cs_1')$$, 'a payment by ' || s)
  from unnest(array['stripe:cs:cs_1', 'cs_1', 'pi_1', 'ch_1']) as s;
select results_eq($$select kind, id from operator_search('in_1')$$, $$values ('payment', 'stripe:in:in_1')$$,
  'an invoice by its own id');
select results_eq(format('select kind, id from operator_search(%L)', s),
  $$values ('account', '00000000-0000-4000-8000-0000000000a1')$$, 'the account of ' || s)
  from unnest(array['cus_1', 'sub_1']) as s;
select results_eq($$select kind, title from operator_search('order-7')$$,
  $$values ('grant', 'grant of 700 credits')$$, 'a grant by the event that it stands for');
select throws_ok($$select from operator_search('an')$$, '22023', 'search for 3 to 255 characters',
  'two letters are too few');
select throws_ok($$select from operator_search(repeat('a', 256))$$, '22023', null, 'a page of text is too much');
select throws_ok($$select from operator_search(null)$$, '22023', null, 'nothing is no text');
reset role;
insert into auth.users (id, email)
  select gen_random_uuid(), format('crowd%s@example.com', n) from generate_series(1, 70) as n;
set local role authenticated;
select is((select count(*) from operator_search('crowd', 200)), 50::bigint, 'never more than 50');

select * from finish();
rollback;
