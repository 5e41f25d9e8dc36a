begin;
select plan(19);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'pack', 'purchase');
create temp table given as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 200, 'promotion', p_expires_at => '2099-01-01');
create function pg_temp.taken(p_amount bigint, p_grant_id bigint default null, p_ref text default null) returns text
  language sql as $$
  select concat_ws(' ', withdrawn, balance, case when replayed then 'replayed' end)
    from withdraw_credits('00000000-0000-4000-8000-0000000000a1', p_amount, p_grant_id, 'an error', p_ref) $$;

select is(pg_temp.taken(250, p_ref => 'ticket-1'), '250 250', 'an amount');
select results_eq('select remaining from credit_grants order by id', 'values (250::bigint), (0)',
  'of what would be spent first');
select is(pg_temp.taken(250, p_ref => 'ticket-1'), '250 250 replayed', 'the same withdrawal counts once');
select throws_ok($$select pg_temp.taken(251, p_ref => 'ticket-1')$$, 'PT409',
  'this external_ref was withdrawn before, from another account or grant or with another amount',
  'another amount is another withdrawal');
select throws_ok($$select pg_temp.taken(250, (select grant_id from bought), 'ticket-1')$$, 'PT409', null,
  'so is one of a grant');
select throws_ok($$select withdraw_credits('00000000-0000-4000-8000-0000000000a2', 250, p_external_ref => 'ticket-1')$$,
  'PT409', null, 'or from another account');
select is(pg_temp.taken(100, (select grant_id from bought)), '100 150', 'an amount of one grant');
select is(pg_temp.taken(null, (select grant_id from given)), '0 150', 'of which nothing may be left');
select is(pg_temp.taken(null, (select grant_id from bought)), '150 0', 'or all that is left of it');
select is(pg_temp.taken(10, p_ref => 'ticket-2'), '0 0', 'never what is not there');
select is(pg_temp.taken(20, p_ref => 'ticket-2'), '0 0', 'which uses up no external_ref');
update credit_accounts set credit_limit = 1000;
select is(pg_temp.taken(10), '0 0', 'nor the overdraft');
select is((select debt from credit_accounts), 0::bigint, 'and nothing is owed');
select results_eq($$select kind::text, sum(delta) from credit_ledger where delta < 0 group by 1$$,
  $$values ('adjustment', -500::numeric)$$, 'the ledger calls it an adjustment');
select is((select count(*) from credit_events where type = 'balance.exhausted'), 1::bigint,
  'and the balance is announced');
select throws_ok($$select withdraw_credits('00000000-0000-4000-8000-0000000000a1')$$, '22023', null,
  'neither amount nor grant');
select throws_ok($$select withdraw_credits('00000000-0000-4000-8000-0000000000a1', 0)$$, '22023', null, 'nothing');
select throws_ok($$select withdraw_credits('00000000-0000-4000-8000-0000000000a1', p_grant_id => 0)$$, 'PT404', null,
  'no such grant');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
