begin;
select plan(9);

create temp view found as
  select d.invariant, g.reason, d.expected, d.actual from reconciliation_discrepancies as d
  left join credit_grants as g on g.id = d.grant_id;
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'opening');
update credit_accounts set credit_limit = 5000 where id = '00000000-0000-4000-8000-0000000000a1';
create temp table job as select i, pg_temp.charge() as id from generate_series(1, 2) as i;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 600, 'filler 1', p_expires_at => '2099-01-01',
  p_metadata => '{"source_grant_id": "mine", "repaid_from_grant_id": "mine", "repaid_to_grant_id": 7}');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 600);
select from transfer_credits('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000a1', 600,
  'filler 2', 'filler 2');
select is_empty('select * from found', 'grants that filled an overdraft are right, also with an app''s own notes');
savepoint sound;

update credit_grants set repaid = case reason when 'filler 1' then 500 else 400 end where repaid > 0;
select set_eq('select * from found',
  $$values ('grant repaid', 'filler 1', 600::bigint, 500::bigint), ('grant repaid', 'filler 2', 300, 400)$$,
  'two that were changed so that the sum still fits');
select is((reconcile_credit_ledger(true)).discrepancies, 2::bigint, 'a deep run says so');
rollback to sound;
update credit_grants set repaid = 7 where reason = 'opening';
select set_eq('select * from found', $$values ('grant repaid', 'opening', 0::bigint, 7::bigint)$$,
  'one that filled nothing');
rollback to sound;

-- 300 come back to the second, 200 to the first.
select from cancel_generation((select id from job where i = 2));
select is_empty('select * from found', 'what comes back to them is right');
update credit_grants set expires_at = now() - interval '1 second' where reason = 'filler 1';
update credit_grants as g set seal = credits.grant_seal(g);
select from fail_generation((select id from job where i = 1));
select is((select sum(repaid) from credit_grants), 0::numeric, 'all of it came back,');
select is_empty('select * from found', 'also in a grace period');

-- A refund fills an overdraft in place of the grant that it belongs to, which then gets it back.
create temp table again as select i, pg_temp.charge() as id from generate_series(1, 5) as i;
select from again cross join lateral refund_credits(id) where i in (1, 3);
select from again cross join lateral refund_credits(id) where i in (2, 4);
select is_empty('select * from found', 'refunds that fill an overdraft and go back are right');
update credit_grants set repaid = repaid + 1 where reason = 'filler 2';
select is((select row(invariant, actual - expected) from found), row('grant repaid'::text, 1::bigint),
  'and a change is found');

select * from finish();
rollback;
