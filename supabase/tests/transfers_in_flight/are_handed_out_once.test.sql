begin;
select plan(10);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
select from unnest(array['ref-1', 'ref-2', 'ref-3']) as ref,
  transfer_send('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 100, ref, 'gift');
create function pg_temp.due() returns void language sql as $$
  update credit_transfers_sent set next_attempt_at = now() where next_attempt_at is not null $$;

select is_empty('select from transfers_in_flight()', 'who sends has 10 seconds to deliver');
select pg_temp.due();
select is((select count(*) from transfers_in_flight(2)), 2::bigint, 'then some are handed out');
select is((select row(t.external_ref, t.reason, t.parts = s.parts, t.attempts, t.to_account_id, t.transfer_id)
  from transfers_in_flight() as t join credit_transfers_sent as s on s.transfer_id = t.transfer_id),
  (select row(external_ref, 'gift'::text, true, 1, to_account_id, transfer_id) from credit_transfers_sent
  where external_ref = 'ref-3'), 'then the others, with all that their delivery needs');
select is_empty('select from transfers_in_flight()', 'and none again at once');
select is((select array_agg(distinct extract(epoch from next_attempt_at - now())) from credit_transfers_sent),
  array[20::numeric], 'but 20 seconds later');
select pg_temp.due();
select is((select max(attempts) from transfers_in_flight()), 2, 'for a second attempt');
select is((select max(extract(epoch from next_attempt_at - now())) from credit_transfers_sent), 40::numeric,
  'after which it takes twice as long');
update credit_transfers_sent set attempts = 1000, next_attempt_at = now();
select from transfers_in_flight();
select is((select max(extract(epoch from next_attempt_at - now())) from credit_transfers_sent), 600::numeric,
  'up to ten minutes');
select transfer_finish(account_id, transfer_id, case when external_ref = 'ref-2' then 'closed' end)
  from credit_transfers_sent;
select is((select count(*) from credit_transfers_sent where next_attempt_at is not null), 0::bigint,
  'what has ended is handed out no more');
select throws_ok($$update credit_transfers_sent set next_attempt_at = now() where external_ref = 'ref-1'$$, '23514',
  null, 'not even by hand');

select * from finish();
rollback;
