begin;
select plan(12);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
select from credits.account_lock('00000000-0000-4000-8000-0000000000b2');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000b2';
create function pg_temp.send(p_ref text) returns credit_transfer_sent language sql as $$
  select transfer_send('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 100, p_ref) $$;
create temp table sent as select * from pg_temp.send('ref-1');
create function pg_temp.receive() returns credit_transfer_received language sql as $$
  select transfer_receive(to_account_id, transfer_id, from_account_id, external_ref, parts, reason) from sent $$;

select is((select row(to_balance, refusal, replayed) from pg_temp.receive()),
  row(0::bigint, 'the recipient''s account is closed'::text, false), 'a closed account takes nothing');
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000b2';
select is((select row(to_balance, refusal, replayed) from pg_temp.receive()),
  row(0::bigint, 'the recipient''s account is closed'::text, true),
  'also when it is open again: the credits may be on their way back');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'which is no discrepancy');
select is((select transfer_finish(from_account_id, transfer_id, (pg_temp.receive()).refusal) from sent), true,
  'they come back');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 500::bigint,
  'to the sender');
select throws_ok($$select pg_temp.send('ref-1')$$, 'PT403',
  'this transfer came back: the recipient''s account is closed', 'a repeated call is told so');
select throws_ok($$select transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 100, 'ref-1')$$, 'PT403', null,
  'also when both accounts live here by now');
select lives_ok($$select pg_temp.send('ref-2')$$, 'another one may be sent');

-- What the database itself refuses would be refused each time.
create function pg_temp.refuse() returns trigger language plpgsql as $$
begin
  raise exception 'no gifts';
end;
$$;
create trigger refuse before insert on credit_grants for each row when (new.kind = 'transfer')
  execute function pg_temp.refuse();
truncate sent;
insert into sent select * from pg_temp.send('ref-2');
select is((select refusal from pg_temp.receive()), 'the recipient''s account cannot take it: no gifts',
  'what a trigger of the app refuses does not stay in flight for ever');
drop trigger refuse on credit_grants;
select is((select refusal from pg_temp.receive()), 'the recipient''s account cannot take it: no gifts', 'nor twice');
select is((select transfer_finish(from_account_id, transfer_id, (pg_temp.receive()).refusal) from sent), true,
  'it comes back, too');
select is((select row(sum(a.balance), (select count(*) from reconciliation_discrepancies)) from credit_accounts as a),
  row(500::numeric, 0::bigint), 'every credit is there');

select * from finish();
rollback;
