begin;
select plan(8);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300);
create function pg_temp.transfer(p_from text, p_to text, p_amount bigint, p_ref text) returns jsonb language sql as $$
  select jsonb_build_object('from_account_id', '00000000-0000-4000-8000-0000000000' || p_from,
    'to_account_id', '00000000-0000-4000-8000-0000000000' || p_to, 'amount', p_amount, 'external_ref', p_ref,
    'reason', 'a gift') $$;
create function pg_temp.batch(variadic p_transfers jsonb[]) returns setof credit_transfer_result language sql as $$
  select * from transfer_credits_batch(to_jsonb(p_transfers)) $$;
create temp view balances as select right(id::text, 2) as account, balance from credit_accounts;

select throws_ok($$select pg_temp.batch(pg_temp.transfer('c3', 'b2', 50, 'back'),
  pg_temp.transfer('a1', 'c3', 300, 'on'))$$,
  'PT402', null, 'a transfer cannot spend what comes after it');
select results_eq($$select from_balance, to_balance, replayed from pg_temp.batch(
    pg_temp.transfer('a1', 'c3', 300, 'on'), pg_temp.transfer('c3', 'b2', 50, 'back'))$$,
  $$values (0::bigint, 300::bigint, false), (250, 50, false)$$, 'but what came before it');
select results_eq($$select from_balance, to_balance, replayed from pg_temp.batch(
    pg_temp.transfer('c3', 'a1', 100, 'new'), pg_temp.transfer('c3', 'b2', 50, 'back'),
    pg_temp.transfer('c3', 'a1', 100, 'new'))$$,
  $$values (150::bigint, 100::bigint, false), (150, 50, true), (150, 100, true)$$,
  'what was transferred before moves nothing, also within a batch');
select throws_ok($$select pg_temp.batch(pg_temp.transfer('c3', 'a1', 100, 'x'),
  pg_temp.transfer('c3', 'a1', 99, 'x'))$$,
  'PT409', null, 'one reference is one transfer');
select throws_ok($$select pg_temp.batch(pg_temp.transfer('c3', 'a1', 100, 'y'),
  pg_temp.transfer('c3', 'a1', 51, 'z'))$$,
  'PT402', '1 credits are missing for this transfer', 'one transfer that fails undoes them all');
select results_eq('select * from balances order by 1', $$values ('a1', 100::bigint), ('b2', 50), ('c3', 150)$$,
  'nothing of it has moved');
select results_eq('select external_ref from credit_transfers order by 1', array['back', 'new', 'on'], 'nor is noted');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
