begin;
select plan(9);

create function pg_temp.account(p_name text) returns uuid language sql
  return ('00000000-0000-4000-8000-0000000000' || p_name)::uuid;
create function pg_temp.charge(p_account text, p_member text default null) returns uuid language sql
  return (select job_id from atomic_charge_credits(pg_temp.account(p_account), 'standard-image', '{"prompt": "a"}',
    p_member_id => pg_temp.account(p_member)));

-- Plain ones: two of one grant, two of a team's member, one whose grant was used up.
select from grant_credits(pg_temp.account('a1'), 2500);
select from create_team_account(pg_temp.account('0e'), pg_temp.account('b2'));
select from set_account_member(pg_temp.account('b2'), pg_temp.account('0f'), 'member', 3000);
select from grant_credits(pg_temp.account('b2'), 5000);
select from grant_credits(pg_temp.account('c3'), 500);
create temp table plain as
select pg_temp.charge(a.name, a.member) as id
from (values ('a1', null), ('a1', null), ('b2', '0f'), ('b2', '0f'), ('c3', null)) as a (name, member);
-- Others: paid by two grants, out of an overdraft, refunded in part.
select from grant_credits(pg_temp.account('d4'), 300);
select from grant_credits(pg_temp.account('d4'), 300);
select from grant_credits(pg_temp.account('e5'), 100);
update credit_accounts set credit_limit = 1000 where id = pg_temp.account('e5');
select from grant_credits(pg_temp.account('f6'), 500);
create temp table others as
select pg_temp.charge(a.name) as id from (values ('d4'), ('e5'), ('f6')) as a (name);
select from refund_credits((select j.id from others join generation_jobs as j using (id)
  where j.account_id = pg_temp.account('f6')), 200, 'slow');
update generation_jobs set deadline_at = now() - interval '1 second';
-- Not due.
select is(pg_temp.charge('a1') is not null, true, 'another job goes on');

create function pg_temp.books() returns jsonb language sql
begin atomic
  select jsonb_build_object(
    'accounts', (select jsonb_agg(jsonb_build_array(id, balance, last_seq, overdraft_used) order by id)
      from credit_accounts),
    'entries', (select jsonb_agg(to_jsonb(l) - '{hash,created_at}'::text[] order by account_id, seq)
      from credit_ledger as l),
    'grants', (select jsonb_agg(to_jsonb(g) order by id) from credit_grants as g),
    'jobs', (select jsonb_agg(to_jsonb(j) - 'ended_at' order by id) from generation_jobs as j),
    'members', (select jsonb_agg(to_jsonb(m) order by user_id) from account_members as m),
    'events', (select jsonb_agg(jsonb_build_array(account_id, type, payload) order by payload::text)
      from credit_events));
end;
create function pg_temp.one_by_one() returns jsonb language plpgsql as $$
declare
  books jsonb;
begin
  perform credits.job_sweep(j.account_id, j.id)
  from (select * from generation_jobs where deadline_at <= now() order by account_id, deadline_at, id) as j;
  books := pg_temp.books();
  raise exception 'undo';
exception when raise_exception then
  return books;
end;
$$;
create temp table wanted as select pg_temp.one_by_one() as books;
create function pg_temp.together() returns uuid[] language plpgsql as $$
declare
  done uuid[];
begin
  select credits.jobs_sweep(array_agg(account_id), array_agg(id)) into done
  from generation_jobs where deadline_at <= now();
  raise exception 'undo';
exception when raise_exception then
  return done;
end;
$$;

select set_eq('select unnest(pg_temp.together())', 'select id from plain', 'the plain ones end together');
select is(sweep_overdue_jobs(), 8, 'and a sweep ends them all');
select is(pg_temp.books(), (select books from wanted),
  'as if each had ended by itself: entries, grants, members, events');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');
select is(sweep_overdue_jobs(), 0, 'a second sweep finds nothing');

-- A job that raises where it ends, and one whose grant has expired.
select from grant_credits(pg_temp.account('b7'), 500, p_expires_at => now() + interval '1 day');
create temp table later as
select pg_temp.charge(a.name) as id from (values ('a1'), ('a1'), ('a1'), ('b7')) as a (name);
update credit_grants set expires_at = now() - interval '1 second' where account_id = pg_temp.account('b7');
update credit_grants as g set seal = credits.grant_seal(g) where account_id = pg_temp.account('b7');
update generation_jobs set deadline_at = now() where id in (select id from later);
create temp table bad as select min(id::text)::uuid as id from later join generation_jobs using (id)
  where account_id = pg_temp.account('a1');
create function pg_temp.refuse() returns trigger language plpgsql as $$
begin
  if old.id = (select id from pg_temp.bad) then
    raise 'no';
  end if;
  return new;
end;
$$;
create trigger refuse before update on generation_jobs for each row execute function pg_temp.refuse();
set local client_min_messages = error;
select is(sweep_overdue_jobs(), 3, 'where one raises, the others end');
select results_eq('select id from later join generation_jobs using (id) where status in (''pending'', ''running'')',
  'select id from bad', 'and it stays open');
select is((select balance from credit_accounts where id = pg_temp.account('b7')), 500::bigint,
  'what had expired comes back for the grace period');

select * from finish();
rollback;
