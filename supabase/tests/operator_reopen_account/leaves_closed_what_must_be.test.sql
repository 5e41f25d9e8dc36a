begin;
select plan(10);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
select grant_credits(('00000000-0000-4000-8000-0000000000' || l)::uuid, 500)
  from unnest(array['a1', 'a2', 'a3', 'a4']) as l;
create function pg_temp.open(p_last text) returns text language sql as $$
  select concat_ws(' ', code, details -> 'after' ->> 'closed_at')
  from operator_reopen_account(('00000000-0000-4000-8000-0000000000' || p_last)::uuid, 'it was a mistake of ours',
    gen_random_uuid()::text) $$;
update credit_accounts set closed_at = now();
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000c3';
select erase_account('00000000-0000-4000-8000-0000000000a2');
update credit_accounts set user_id = null where id = '00000000-0000-4000-8000-0000000000a3';
insert into payment_disputes (provider, dispute_id, payment_key, account_id, status, response, amount, withdrawn,
  reinstated, froze_at)
  select 'stripe', 'dp_1', 'stripe:cs:1', id, 'open', 'freeze', 5, 0, 0, closed_at from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a4';
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.open('a1'), 'done', 'an account that was closed');
select is(pg_temp.open('a1'), 'unchanged', 'once');
select is(pg_temp.open('c3'), 'done', 'a team');
select throws_ok($$select pg_temp.open('a2')$$, 'PT409', 'the account was erased, or its person was deleted',
  'one that was erased');
select throws_ok($$select pg_temp.open('a3')$$, 'PT409', 'the account was erased, or its person was deleted',
  'one whose person was deleted');
select throws_ok($$select pg_temp.open('a4')$$, 'PT409', 'an open dispute freezes the account', 'one that is frozen');
select throws_ok($$select pg_temp.open('af')$$, 'PT404', null, 'one that is not there');
reset role;
select is((select user_id from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  '00000000-0000-4000-8000-0000000000a1'::uuid, 'it is its person''s');
select lives_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 5)$$, 'and takes credits');
update payment_disputes set status = 'won';
set local role authenticated;
select is(pg_temp.open('a4'), 'done', 'after the dispute it may be opened');

select * from finish();
rollback;
