begin;
select plan(6);

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'a@example.com');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from settle_generation((select job_id
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'my key',
    'my request')), '{"outputs": ["secret"]}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table before as select balance + 500 as balance from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';
select is(erase_account('00000000-0000-4000-8000-0000000000a1'), 2, 'both jobs are erased');
select is_empty($$select id from generation_jobs
  where input <> '{}' or output <> '{}' or idempotency_key is not null or request_id is not null$$,
  'nothing personal is left');
select is((select row(user_id, closed_at is not null, balance) from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1'), (select row(null::uuid, true, balance) from before),
  'unlinked, closed, and what ran was refunded');
select is((select sound from verify_ledger('00000000-0000-4000-8000-0000000000a1')), true, 'the chain holds');
select is(erase_account('00000000-0000-4000-8000-0000000000a1'), 0, 'a second time finds nothing');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
