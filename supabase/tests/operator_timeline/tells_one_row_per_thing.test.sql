begin;
select plan(9);

-- The story of an account, each step at a time of its own, as in life.
insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000e1', 'anna@example.com');
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
create function pg_temp.account() returns uuid immutable language sql as
  $$select '00000000-0000-4000-8000-0000000000a1'::uuid$$;
create function pg_temp.charge(p_key text) returns uuid language sql as $$
  select job_id from atomic_charge_credits(pg_temp.account(), 'standard-image', '{"prompt": "a secret cat"}', p_key,
    'request-' || p_key)
$$;

select from grant_credits(pg_temp.account(), 300, 'welcome');
select from grant_credits(pg_temp.account(), 1200, 'a pack', 'purchase', p_external_ref => 'order-7');
create temp table jobs as select pg_temp.charge('1') as first;          -- 300 of the one grant, 200 of the other
select from fail_generation((select first from jobs), '{"code": "provider_failed", "message": "<b>no</b>"}');
select from refund_credits(pg_temp.charge('2'), 100, 'half a cat');
select from withdraw_credits(pg_temp.account(), 350, p_reason => 'a mistake', p_external_ref => 'w-1');
select from transfer_credits(pg_temp.account(), '00000000-0000-4000-8000-0000000000b2', 10, 't-1', 'to a friend');
select from reverse_grant(pg_temp.account(), (select id from credit_grants where external_ref = 'order-7'), null,
  'charged back');
select from grant_credits(pg_temp.account(), 2000, 'again');

select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
create temp table timeline as select row_number() over () as place, t.* from operator_timeline(
  '00000000-0000-4000-8000-0000000000a1') as t;
reset role;

select results_eq('select kind, credits, title, detail ->> ''reason'' from timeline order by place desc', $$values
  ('grant', 300::bigint, 'Granted', 'welcome'),
  ('purchase', 1200, 'Bought', 'a pack'),
  ('charge', -500, 'Charged for standard-image: the job failed', null),
  ('refund', 500, 'Refunded: the job failed', 'generation failed'),
  ('charge', -500, 'Charged for standard-image: the job has not started', null),
  ('refund', 100, 'Refunded: the job has not started', 'half a cat'),
  ('withdrawal', -350, 'Withdrawn', 'a mistake'),
  ('transfer', -10, 'Transferred to another account', 'to a friend'),
  ('reversal', -740, 'Grant taken back', 'charged back'),
  ('debt', null, 'Owes 460 credits of a grant that was taken back after they were spent', 'charged back'),
  ('grant', 2000, 'Granted', 'again'),
  ('debt_paid', -460, 'Paid what was owed for a grant that was taken back', 'debt of a revoked grant')$$,
  'one row per thing, the oldest last');
select is((select sum(credits)::bigint from timeline), (select balance from credit_accounts
  where id = pg_temp.account()),
  'together they are the balance');
select is((select balance from timeline where place = 1), (select balance from credit_accounts
  where id = pg_temp.account()), 'which the newest movement shows');
select is((select (detail ->> 'last_seq')::integer - (detail ->> 'first_seq')::integer from timeline
  where kind = 'charge' and request_id = 'request-1'), 1, 'a charge out of two grants is one row, of two entries');
select is((select detail ->> 'error_message' from timeline where title = 'Refunded: the job failed'), '<b>no</b>',
  'a provider''s words are text');
select is((select count(*) from timeline where timeline::text ~ 'secret'), 0::bigint, 'no prompt is told');
select is((select grant_id from timeline where kind = 'reversal'),
  (select id from credit_grants where external_ref = 'order-7'), 'a reversal names the grant that was taken back');
select is((select array_agg(job_id) from timeline where title like '%failed'), array(
  select first from jobs cross join generate_series(1, 2)), 'charge and refund name their job');
select is((select array_agg(distinct request_id) from timeline where job_id = (select first from jobs)),
  array['request-1'], 'and its request');

select * from finish();
rollback;
