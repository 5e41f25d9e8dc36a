begin;
select plan(24);

create temp table ids as select n, md5('account ' || n)::uuid as id from generate_series(1, 9) as n;
create function pg_temp.account(p_n integer) returns uuid language sql as $$ select id from ids where n = p_n $$;
create function pg_temp.claim(p_n integer, p_instead_of integer default null) returns integer language sql as $$
  select n from ids where id = claim_external_ref('grant', 'order-1', pg_temp.account(p_n),
    pg_temp.account(p_instead_of))
$$;

select is_empty('select from credits.external_refs', 'one database lists nothing');
select lives_ok($$select grant_credits(pg_temp.account(1), 5, p_external_ref => 'order-0')$$, 'also where it grants');
select is_empty('select from credits.external_refs', 'nor then');

select is(pg_temp.claim(1), 1, 'an external_ref is the account''s that claims it first');
select is(pg_temp.claim(1), 1, 'also again');
select is(pg_temp.claim(2), 1, 'and no other account''s');
select is(claim_external_ref('withdrawal', 'order-1', pg_temp.account(2)), pg_temp.account(2),
  'a withdrawal''s is another one');

select is(has_external_ref(pg_temp.account(1), 'grant', 'order-1'), false, 'if it was never booked');
select is(pg_temp.claim(2, 1), 1, 'another account still waits, as the call may be under way');
update credits.external_refs set claimed_at = now() - interval '11 minutes';
select is(pg_temp.claim(2, 3), 1, 'and has to name the account that has it');
select is(pg_temp.claim(2, 1), 2, 'after 10 minutes it has it');
select is(pg_temp.claim(1), 2, 'and the first has it no more');
select is(has_external_ref(pg_temp.account(1), 'grant', 'order-0'), true, 'a booked one is known to be so');

-- What was booked before there were shards.
select from link_payment_customer(pg_temp.account(1), 'stripe', true, 'cus_1');
select is(has_external_ref(pg_temp.account(1), 'customer', credits.customer_ref('stripe', true, 'cus_1')), true,
  'a provider''s customer is known');
select credits.become_shard('s1', array(select generate_series(0, 15)));
select is(claim_external_ref('grant', 'order-0', pg_temp.account(2)), pg_temp.account(1),
  'a database that becomes a shard lists what it has booked');
select is(pg_temp.claim(1), 2, 'and keeps what is claimed');
select is(claim_external_ref('customer', 'stripe:true:cus_1', pg_temp.account(2)), pg_temp.account(1),
  'a customer is one account''s, too');
delete from credit_accounts where last_seq = 0;
select throws_ok($$select claim_external_ref('grant', null, pg_temp.account(1))$$, '22023', null, 'no ref, no claim');
select throws_ok($$select claim_external_ref('x', 'order-1', pg_temp.account(1))$$, '22023', null, 'nor of any kind');
insert into payments (key, account_id, provider, livemode, kind, status, state, cause, created_at)
values ('stripe:cs:1', pg_temp.account(1), 'stripe', false, 'pack', 'paid', 'waiting', 'unknown_price', now());
select is(has_external_ref(pg_temp.account(1), 'grant', 'stripe:cs:1'), true,
  'what a payment waits to grant is as good as booked');
select is(has_external_ref(pg_temp.account(2), 'grant', 'stripe:cs:1'), false, 'for its account alone');

select is(credits.ref_groups('order-1'),
  array[credits.slot_group(credits.ref_home('order-1')), credits.slot_group(credits.ref_home('order-1')) # 1],
  'two groups list it, which are never on one shard of several');
select credits.shard_note('s1', (credits.ref_groups('order-1'))[2:2]);
select is(pg_temp.claim(1), 2, 'each of the two knows whose it is');
select credits.shard_note('s1', array(select g from generate_series(0, 15) as g
  where g <> all (credits.ref_groups('order-1'))));
select throws_ok('select pg_temp.claim(2)', 'PT421', null, 'it is claimed where it is listed');

select * from finish();
rollback;
