begin;
select plan(9);

-- An account of each slot group: 0 lives here, 1 on another shard.
create temp table ids as
  select distinct on (credits.slot_group(id)) credits.slot_group(id) as slot_group, id
  from (select md5(n::text)::uuid as id from generate_series(1, 1000) as n) as made
  order by 1, 2;
create function pg_temp.id_of(p_group integer) returns uuid language sql as $$
  select id from ids where slot_group = p_group $$;
select credits.become_shard('s0', '{0,2}');
select from grant_credits(pg_temp.id_of(0), 500);
select from grant_credits(pg_temp.id_of(2), 500);

select throws_ok($$select transfer_credits(pg_temp.id_of(0), pg_temp.id_of(1), 100, 'ref-1')$$, 'PT421',
  format('account %s of this transfer lives on another shard', pg_temp.id_of(1)),
  'transfer_credits refuses a recipient of another shard');
select throws_ok($$select transfer_credits(pg_temp.id_of(1), pg_temp.id_of(0), 100, 'ref-1')$$, 'PT421', null,
  'and a sender');
select throws_ok($$select transfer_credits_batch(jsonb_build_array(
  jsonb_build_object('from_account_id', pg_temp.id_of(0), 'to_account_id', pg_temp.id_of(2), 'amount', 1,
    'external_ref', 'ref-2'),
  jsonb_build_object('from_account_id', pg_temp.id_of(0), 'to_account_id', pg_temp.id_of(1), 'amount', 1,
    'external_ref', 'ref-3')))$$, 'PT421', null, 'so does a batch, as a whole');
select is((select array_agg(id order by id) from credit_accounts),
  (select array_agg(id order by id) from ids where slot_group in (0, 2)), 'no account was opened');
select is((select count(*) from credit_transfers), 0::bigint, 'and nothing was booked');
select lives_ok($$select transfer_credits(pg_temp.id_of(0), pg_temp.id_of(2), 100, 'ref-4')$$,
  'between its own accounts it goes on');

select lives_ok($$select transfer_send(pg_temp.id_of(0), pg_temp.id_of(1), 100, 'ref-1')$$, 'it sends them');
select throws_ok($$select transfer_send(pg_temp.id_of(1), pg_temp.id_of(0), 100, 'ref-5')$$, 'PT421', null,
  'but not for an account of another shard');
select throws_ok($$select transfer_receive(t.to_account_id, transfer_id, account_id, external_ref, parts)
  from credit_transfers_sent as t$$, 'PT421', null, 'and receives nothing for one');

select * from finish();
rollback;
