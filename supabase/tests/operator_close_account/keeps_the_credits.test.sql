begin;
select plan(8);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
create function pg_temp.close() returns text language sql as $$
  select concat_ws(' ', code, balance)
  from operator_close_account('00000000-0000-4000-8000-0000000000a1', 'suspected fraud, see case 7',
    gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.close(), 'done 500', 'it keeps its credits');
select is(pg_temp.close(), 'unchanged 500', 'and is closed once');
select throws_ok($$select operator_close_account('00000000-0000-4000-8000-0000000000af', 'suspected fraud', 'key')$$,
  'PT404', null, 'an account that is not there');
reset role;
select is((select code from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}')), 'account_closed', 'nothing is charged');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 5)$$, 'PT403', null, 'nor granted');

-- One that a dispute froze.
insert into payment_disputes (provider, dispute_id, payment_key, account_id, status, response, amount, withdrawn,
  reinstated, froze_at)
  select 'stripe', 'dp_1', 'stripe:cs:1', id, 'open', 'freeze', 5, 0, 0, closed_at from credit_accounts;
set local role authenticated;
select is(pg_temp.close(), 'done 500', 'an operator closes also what a dispute froze');
reset role;
update payment_disputes set status = 'won';
select credits.account_freeze('00000000-0000-4000-8000-0000000000a1');
select isnt((select closed_at from credit_accounts), null, 'and it stays closed when the dispute ends');
select results_eq($$select action, before ->> 'closed_at' is null, after ->> 'closed_at' is null, credits
    from operator_actions order by seq$$,
  $$values ('close_account', true, false, null::bigint), ('close_account', false, false, null),
    ('close_account', false, false, null)$$, 'the trail says so');

select * from finish();
rollback;
