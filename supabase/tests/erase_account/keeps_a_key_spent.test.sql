begin;
select plan(3);

-- a1 has a team c3; b2 asks something of it, is erased, and comes back.
insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'a@example.com'),
  ('00000000-0000-4000-8000-0000000000b2', 'b@example.com');
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create function pg_temp.ask(p_member uuid) returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a cat"}', 'a key',
    null, p_member);
$$;
create temp table first as select * from pg_temp.ask('00000000-0000-4000-8000-0000000000b2');
select from erase_account('00000000-0000-4000-8000-0000000000b2');
select is((select idempotency_key from generation_jobs where id = (select job_id from first)), null,
  'the key itself is gone');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2');
select is((select row(status, code, job_id) from pg_temp.ask('00000000-0000-4000-8000-0000000000b2')),
  (select row(422, 'idempotency_key_reused'::text, job_id) from first),
  'and stays spent for them: what was asked with it, nobody knows any more');
select is((select count(*) from credit_ledger
  where account_id = '00000000-0000-4000-8000-0000000000c3' and kind = 'charge'), 1::bigint, 'nothing is charged');

select * from finish();
rollback;
