begin;
select plan(14);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'promo', p_expires_at => '2099-01-01',
  p_priority => 7::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300);
create temp table sent as select * from transfer_send('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 400, 'ref-1', 'gift');
create function pg_temp.receive(p_parts jsonb default null) returns credit_transfer_received language sql as $$
  select transfer_receive(to_account_id, transfer_id, from_account_id, external_ref, coalesce(p_parts, parts), reason)
  from sent $$;

select is((select row(amount, to_balance, refusal, replayed) from pg_temp.receive()),
  row(400::bigint, 400::bigint, null::text, false), 'the recipient''s account is opened, and has the credits');
select results_eq($$select kind::text, amount, expires_at = '2099-01-01', priority, reason from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000b2' order by id$$,
  $$values ('transfer', 300::bigint, true, 7::smallint, 'gift'), ('transfer', 100, null, 100::smallint, 'gift')$$,
  'with their expiry and priority');
select results_eq($$select delta, metadata ->> 'from_account_id', metadata ->> 'external_ref' from credit_ledger
  where account_id = '00000000-0000-4000-8000-0000000000b2' order by seq$$,
  $$values (300::bigint, '00000000-0000-4000-8000-0000000000a1', 'ref-1'),
    (100, '00000000-0000-4000-8000-0000000000a1', 'ref-1')$$, 'its entries name sender and external_ref');
select is((select row(amount, to_balance, refusal, replayed) from pg_temp.receive()),
  row(400::bigint, 400::bigint, null::text, true), 'a second delivery moves nothing');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right before it is finished');

select throws_ok($$select pg_temp.receive('[{"amount": 401, "priority": 1}]')$$, '22023', null,
  'another amount is another transfer');
select throws_ok($$select pg_temp.receive('[{"amount": 500, "priority": 1}, {"amount": -100, "priority": 1}]')$$,
  '22023', null, 'a part is no debt');
select throws_ok(format('select pg_temp.receive(%L)', parts), '22023', null, 'parts are not ' || parts)
from (values ('[]'), ('{}'), ('[{"amount": 400}]'), ('[{"amount": "many", "priority": 1}]')) as wrong (parts);
select throws_ok($$select transfer_receive(to_account_id, gen_random_uuid(), from_account_id, external_ref, parts)
  from sent$$, '22023', null, 'nor is it one under another id');

update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000b2';
select is((select row(refusal, replayed) from pg_temp.receive()), row(null::text, true),
  'who is closed later keeps what they got');
select is((select moved + in_flight + arrived - received from credit_transfer_totals), 0::numeric,
  'nothing was made, nothing lost');

select * from finish();
rollback;
