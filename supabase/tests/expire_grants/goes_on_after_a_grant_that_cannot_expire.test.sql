begin;
select plan(6);

select grant_credits(a, 100 * i, 'grant ' || i)
  from generate_series(1, 3) as i,
    unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
      '00000000-0000-4000-8000-0000000000c3']::uuid[]) as a;
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 5000, 'staying');
update credit_settings set low_balance_credits = 5001;
update credit_grants set expires_at = now() where reason <> 'staying';
update credit_grants as g set seal = credits.grant_seal(g);
-- Its balance is less than what would expire, so that the account's own rule refuses it.
update credit_accounts set balance = 50 where id = '00000000-0000-4000-8000-0000000000c3';
set local client_min_messages = error;
select is(expire_grants(), 6, 'the grants of the sound accounts expire');
select results_eq($$select sum(remaining) from credit_grants group by account_id order by account_id$$,
  array[0, 5000, 600]::numeric[], 'and those of the third stay, to be seen');
select results_eq($$select balance from credit_accounts order by id$$, array[0, 5000, 50]::bigint[],
  'so does its balance');
select results_eq($$select distinct type, account_id from credit_events order by type$$,
  $$values ('balance.exhausted', '00000000-0000-4000-8000-0000000000a1'::uuid),
    ('balance.low', '00000000-0000-4000-8000-0000000000b2')$$, 'who has nothing or little left is told');
update credit_accounts set balance = 600 where id = '00000000-0000-4000-8000-0000000000c3';
select is(expire_grants(), 3, 'once it is sound again, they expire');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
