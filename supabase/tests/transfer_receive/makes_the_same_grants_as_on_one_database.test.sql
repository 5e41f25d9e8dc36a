begin;
select plan(9);

-- a1 gives on one database, a2 between shards; each to an account that owes and is overdrawn.
insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap) values ('capped', 1000, 'capped', 200);
create temp table ways (sender uuid, recipient uuid);
insert into ways values
  ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b1'),
  ('00000000-0000-4000-8000-0000000000a2', '00000000-0000-4000-8000-0000000000b2');
select from ways, set_account_plan(sender, 'capped');
select refill_plans();
select from ways, grant_credits(sender, 50, 'promo', p_expires_at => '2099-01-01', p_priority => 7::smallint) as promo,
  grant_credits(sender, 60, 'pack', 'purchase') as pack, grant_credits(recipient, 300, 'spent') as spent;
-- Credits of a grace period, which get no other.
insert into credit_grants (account_id, kind, amount, priority, expires_at, grace_ends_at)
select sender, 'refund', 70, 1, now() + interval '1 hour', '-infinity' from ways;
select from ways join credit_grants as g on g.account_id = sender and g.amount = 70,
  credits.entry_append(sender, 70, 'adjustment', g.id, null, null, null);
update credit_accounts set credit_limit = 200 where id in (select recipient from ways);
select from ways, atomic_charge_credits(recipient, 'standard-image', '{"prompt": "a cat"}');
select from ways join credit_grants as g on g.account_id = recipient, reverse_grant(recipient, g.id);
create temp view account as select id, right(id::text, 1) as way, balance, overdraft_used, debt from credit_accounts
  where id in (select recipient from ways);
select results_eq('select way, balance, overdraft_used, debt from account order by 1',
  $$values ('1', -200::bigint, 200::bigint, 300::bigint), ('2', -200, 200, 300)$$, 'both owe the same');

select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b1', 1150,
  'one', 'gift');
set local timezone = 'Asia/Kathmandu';
select from transfer_send('00000000-0000-4000-8000-0000000000a2', '00000000-0000-4000-8000-0000000000b2', 1150, 'two',
  'gift') as s
  cross join lateral transfer_receive(s.to_account_id, s.transfer_id, s.from_account_id, 'two', s.parts, s.reason) as r
  cross join lateral transfer_finish(s.from_account_id, s.transfer_id, r.refusal);

create function pg_temp.grants_of(p_account text) returns table (kind text, amount bigint, remaining bigint,
  repaid bigint, priority smallint, expires_at timestamptz, grace_ends_at timestamptz, reason text)
language sql as $$
  select kind::text, amount, remaining, repaid, priority, expires_at, grace_ends_at, reason from credit_grants
  where account_id = ('00000000-0000-4000-8000-0000000000' || p_account)::uuid and reason is distinct from 'spent'
  order by id $$;
select is((select count(*) from pg_temp.grants_of('b1')), 4::bigint, 'each grant that credits came from makes one');
select results_eq($$select * from pg_temp.grants_of('b2')$$, $$select * from pg_temp.grants_of('b1')$$,
  'with the same terms on either way');
select is((select expires_at from pg_temp.grants_of('b2') where grace_ends_at is null and amount > 900),
  (date_trunc('month', now() at time zone 'utc') + interval '1 month') at time zone 'utc',
  'capped credits end with the month');
select is((select grace_ends_at from pg_temp.grants_of('b2') where amount = 70), '-infinity'::timestamptz,
  'and there is no second grace period');
select results_eq($$select delta, kind, reason from credit_ledger
    where account_id = '00000000-0000-4000-8000-0000000000b2' order by seq$$,
  $$select delta, kind, reason from credit_ledger
    where account_id = '00000000-0000-4000-8000-0000000000b1' order by seq$$,
  'the recipient''s entries are the same: overdraft and debt are paid first');
select results_eq($$select delta, kind, reason from credit_ledger
    where account_id = '00000000-0000-4000-8000-0000000000a2' order by seq$$,
  $$select delta, kind, reason from credit_ledger
    where account_id = '00000000-0000-4000-8000-0000000000a1' order by seq$$, 'and the sender''s');
select results_eq('select way, balance, overdraft_used, debt from account order by 1',
  $$values ('1', 650::bigint, 0::bigint, 0::bigint), ('2', 650, 0, 0)$$, 'both have the same left');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
