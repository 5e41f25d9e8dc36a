begin;
select plan(14);

insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap, upgrade_gives) values
  ('capped', 1000, 'capped', 200, 'nothing'), ('wide', 3000, 'capped', 2000, 'difference'),
  ('all', 1000, 'all', 0, 'nothing');
create temp view found as select invariant, grant_id from reconciliation_discrepancies;
create function pg_temp.move(p_plan text) returns void language sql as
  $$select from set_account_plan('00000000-0000-4000-8000-0000000000a1', p_plan)$$;

-- The credits of last month come of no cap, and this month's bring them under it.
select pg_temp.move('all');
select from refill_plans();
update credit_accounts set refilled_for = (refilled_for - interval '1 month')::date;
update credit_grants as g set external_ref = 'last month';
update credit_grants as g set seal = credits.grant_seal(g);
savepoint before_the_cap;
select pg_temp.move('capped');
select from refill_plans();
select set_eq('select id from credit_grants where is_capped', 'select id from credit_grants',
  'a plan''s cap covers its credits, and those that it has trimmed');
select is_empty('select * from found', 'which is right');

rollback to before_the_cap;
select pg_temp.move('all');
select from refill_plans();
select pg_temp.move('wide');
create temp table upgrade as select id from credit_grants where external_ref like 'refill:%:3000';
select results_eq('select id from credit_grants where is_capped', 'select id from upgrade',
  'or what an upgrade gives, until then');
select is_empty('select * from found', 'which is right');
savepoint sound;

update credit_grants set is_capped = false where is_capped;
select set_eq('select * from found', $$select 'grant terms', id from upgrade$$, 'a cap that was lifted by hand');
select is((reconcile_credit_ledger(true)).discrepancies, 1::bigint, 'a deep run says so');
select pg_temp.move('all');
select set_eq('select * from found', $$select 'grant terms', id from upgrade$$,
  'also once the account has left the plan');
rollback to sound;
update credit_grants set is_capped = true where external_ref = 'last month';
select set_eq('select * from found', $$select 'grant terms', id from credit_grants where external_ref = 'last month'$$,
  'or was laid on');
select pg_temp.move('all');
select set_eq('select * from found', $$select 'grant terms', id from credit_grants where external_ref = 'last month'$$,
  'also once its credits expire by it');
rollback to sound;

select pg_temp.move('all');
select ok(expires_at is not null and not is_capped, 'when the account leaves the plan, the cap''s credits expire')
  from credit_grants join upgrade using (id);
select is_empty('select * from found', 'which is right');
rollback to sound;
update credit_grants set priority = 1 where id = (select id from upgrade);
select pg_temp.move('all');
select set_eq('select * from found', $$select 'grant terms', id from upgrade$$,
  'a term that was changed by hand is not sealed with that');
rollback to before_the_cap;
update credit_grants set priority = 1;
select pg_temp.move('capped');
select from refill_plans();
select set_eq('select * from found', $$select 'grant terms', id from credit_grants where external_ref = 'last month'$$,
  'nor with the beginning of a cap');
rollback to before_the_cap;
select is_empty('select * from found', 'undamaged again');

select * from finish();
rollback;
