begin;
select plan(5);

-- Twice the same accounts. a1: two grants, a job that spans both. b2: a job of an overdraft. c3: a team's member.
-- d4: a grant that has expired since. e5: a job of which a part was refunded. f6: a debt.
create temp table accounts as
  select way, name, ('00000000-0000-4000-' || way || '-0000000000' || name)::uuid as id
  from unnest(array['8000', '9000']) as way, unnest(array['a1', 'b2', 'c3', 'd4', 'e5', 'f6']) as name;
select from accounts, lateral (select from grant_credits(id, 700, 'first', p_priority => 1::smallint)) as a, lateral (select from grant_credits(id, 5000, 'second')) as b
  where name in ('a1', 'd4', 'e5', 'f6');
select from accounts, lateral grant_credits(id, 100) where name = 'b2';
select from accounts, lateral create_team_account(('00000000-0000-4000-' || way || '-0000000000ff')::uuid, id), lateral grant_credits(id, 5000, 'team') where name = 'c3';
update credit_accounts set credit_limit = 900 where id in (select id from accounts where name = 'b2');
create temp table jobs as
  select a.*, i, c.job_id from generate_series(1, 3) as i, accounts as a,
    atomic_charge_credits(a.id, 'standard-image', jsonb_build_object('prompt', i::text),
      p_member_id => case when a.name = 'c3' then ('00000000-0000-4000-' || a.way || '-0000000000ff')::uuid end) as c
  where c.job_id is not null;
select from jobs, lateral refund_credits(job_id, 100) where name = 'e5' and i = 1;
update credit_grants set expires_at = now() where account_id in (select id from accounts where name = 'd4') and reason = 'first';
update credit_grants as g set seal = credits.grant_seal(g);
select credits.debt_append(a, 50, null, null, null, 0, 'owed') from credit_accounts as a where id in (select id from accounts where name = 'f6');
update generation_jobs set deadline_at = now() - interval '1 minute' * (select 10 - i from jobs where job_id = generation_jobs.id);
create temp view books as
  select a.way, a.name, 'entry' as what, row(case when a.name in ('a1', 'c3', 'f6') then array[l.seq, l.balance_after] end, l.delta, l.kind, g.reason like 'refund to%', g.amount, j.i, regexp_replace(l.reason, 'grant \d+', 'grant'), l.metadata is null)::text as is_so
  from accounts as a join credit_ledger as l on l.account_id = a.id
  left join credit_grants as g on g.account_id = l.account_id and g.id = l.grant_id left join jobs as j on j.job_id = l.job_id
  union all select a.way, a.name, 'grant', row(kind, amount, remaining, is_open, lapsed)::text from accounts as a join credit_grants as g on g.account_id = a.id
  union all select a.way, a.name, 'account', row(balance, overdraft_used, debt, last_seq)::text from accounts as a join credit_accounts as c on c.id = a.id
  union all select j.way, j.name, 'job', row(i, status, cost, refunded, error, ended_at is not null)::text from jobs as j join generation_jobs as g on g.id = j.job_id
  union all select a.way, a.name, 'member', spent::text from accounts as a join account_members as m on m.account_id = a.id
  union all select a.way, a.name, 'event', row(type, payload - 'account_id' - 'job_id', (select i from jobs where job_id::text = payload ->> 'job_id'))::text
  from accounts as a join credit_events as e on e.account_id = a.id;

select is((select count(*) from jobs where way = '8000'), 17::bigint, 'three jobs of each account, and two of b2');
select credits.job_sweep(o.id, o.job_id) from (select j.id, j.job_id from jobs as j where way = '8000' order by j.id, i offset 0) as o;
select is(cardinality(credits.jobs_sweep(array_agg(id), array_agg(job_id))), 6, 'together go a1''s, and those of d4 and e5 that have nothing odd') from jobs where way = '9000';
select is(sweep_overdue_jobs(), 11, 'the others go one by one');
select set_eq($$select name, what, is_so, count(*) from books where way = '9000' group by 1, 2, 3$$, $$select name, what, is_so, count(*) from books where way = '8000' group by 1, 2, 3$$,
  'both ways lead to the same books, in the same order unless an account has jobs of both sorts');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'which are right');

select * from finish();
rollback;
