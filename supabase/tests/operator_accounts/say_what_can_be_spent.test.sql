begin;
select plan(10);

insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
create function pg_temp.account(n integer) returns uuid language sql as
  $$select format('00000000-0000-4000-8000-0000000000a%s', n)::uuid$$;
select grant_credits(pg_temp.account(n), 700) from generate_series(1, 5) as n;
select from grant_credits(pg_temp.account(1), 100, p_expires_at => now() + interval '1 hour');
update credit_grants set expires_at = now() - interval '1 hour' where amount = 100;
select from atomic_charge_credits(pg_temp.account(1), 'standard-image', '{"prompt": "a cat"}');
update credit_accounts set credit_limit = 50 where id = pg_temp.account(1);
update credit_accounts set closed_at = now() where id = pg_temp.account(2);
select from withdraw_credits(pg_temp.account(3), 600);
select from reverse_grant(pg_temp.account(3), (select id from credit_grants where account_id = pg_temp.account(3)));
insert into payment_disputes (provider, dispute_id, payment_key, account_id, status, amount, withdrawn, reinstated,
  response, froze_at) values ('stripe', 'dp_1', 'stripe:cs:1', pg_temp.account(4), 'open', 9, 0, 0, 'freeze', now());
update credit_accounts set closed_at = now() where id = pg_temp.account(4);
insert into account_erasures (account_id, finished_at) values (pg_temp.account(5), now());

select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
create temp table shown as select right(account_id::text, 1) as account, o.* from operator_accounts as o;
select results_eq('select account, state from shown order by 1', $$values ('1', 'open'), ('2', 'closed'), ('3', 'open'),
  ('4', 'frozen'), ('5', 'erased')$$, 'each account''s state');
select results_eq('select balance, booked_balance, spendable, open_jobs from shown where account = ''1''',
  'values (200::bigint, 300::bigint, 250::bigint, 1::bigint)',
  'what has expired counts no more, an overdraft can be spent');
select is((select spendable from shown where account = '2'), 0::bigint, 'a closed account spends nothing');
select results_eq('select debt, spendable from shown where account = ''3''', 'values (600::bigint, 0::bigint)',
  'nor does one in debt');
select results_eq($$select right(account_id::text, 1) from operator_accounts_page(p_limit => 2)$$,
  $$values ('1'), ('2')$$, 'accounts by their ids');
select results_eq($$select right(account_id::text, 1) from operator_accounts_page(pg_temp.account(2), 2)$$,
  $$values ('3'), ('4')$$, 'and those after them');
select is_empty($$select from operator_accounts_page(pg_temp.account(5))$$, 'until there are none');

select results_eq($$select amount, state from operator_account_grants
    where account_id = pg_temp.account(1) order by grant_id$$,
  $$values (700::bigint, 'open'), (100, 'expired')$$, 'grants that can be spent, and those that have expired');
select is((select state from operator_account_grants where account_id = pg_temp.account(3)), 'reversed',
  'one that was taken back');
reset role;
insert into account_members (account_id, user_id, spent, spent_month) values
  (pg_temp.account(1), pg_temp.account(2), 7, '2001-01-01');
set local role authenticated;
select is((select spent from operator_account_members), 0::bigint, 'members, with what they spent in this month');

select * from finish();
rollback;
