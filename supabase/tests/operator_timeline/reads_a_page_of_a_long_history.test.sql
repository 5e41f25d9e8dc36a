begin;
select plan(5);

-- Thirty thousand charges of one account, with entries and jobs alone: hashes are not what is looked at.
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000000);
insert into generation_jobs (id, account_id, status, model, price_effective_from, provider, cost, input, output,
  request_hash, created_at, ended_at, deadline_at)
select md5(n::text)::uuid, '00000000-0000-4000-8000-0000000000a1', 'succeeded', 'standard-image', '2026-01-01',
  'placeholder', 500, '{}', '{"outputs": []}', '\x00', now() + n * interval '1 second', now(), now()
from generate_series(1, 30000) as n;
insert into credit_ledger (account_id, seq, delta, balance_after, kind, job_id, created_at, hash)
select '00000000-0000-4000-8000-0000000000a1', n + 1, -500, 0, 'charge', md5(n::text)::uuid,
  now() + n * interval '1 second', '\x00'
from generate_series(1, 30000) as n;
update credit_accounts set last_seq = 30001 where id = '00000000-0000-4000-8000-0000000000a1';
analyze credit_ledger;
analyze generation_jobs;

create function pg_temp.rows_read() returns bigint language sql volatile as $$
  select sum(pg_stat_get_xact_tuples_fetched(c.oid) + pg_stat_get_xact_tuples_returned(c.oid))::bigint
  from pg_class as c where c.oid in ('credit_ledger'::regclass, 'generation_jobs'::regclass,
    'credit_ledger_pkey'::regclass, 'generation_jobs_pkey'::regclass, 'generation_jobs_newest'::regclass);
$$;
create temp table reads (what text, before bigint, after bigint, found bigint);
create function pg_temp.measure(p_what text, p_call text) returns void language plpgsql as $$
declare
  before constant bigint := pg_temp.rows_read();
  found_rows bigint;
begin
  execute format('select count(*) from %s', p_call) into found_rows;
  insert into reads values (p_what, before, pg_temp.rows_read(), found_rows);
end;
$$;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
select pg_temp.measure('first page', $$operator_timeline('00000000-0000-4000-8000-0000000000a1')$$);
select pg_temp.measure('a page in the middle', $$operator_timeline('00000000-0000-4000-8000-0000000000a1',
  now() + interval '4 hours', 'entry:0000000000000014400')$$);
select pg_temp.measure('jobs', $$operator_jobs_page('00000000-0000-4000-8000-0000000000a1')$$);
select pg_temp.measure('older jobs', $$operator_jobs_page('00000000-0000-4000-8000-0000000000a1', null,
  now() + interval '4 hours', '00000000-0000-4000-8000-000000000000')$$);
select pg_temp.measure('the account', $$operator_accounts where account_id = '00000000-0000-4000-8000-0000000000a1'$$);

select is(found, case what when 'the account' then 1 else 50 end::bigint, what) from reads where what = 'first page';
select is((select count(*) from reads where found = 50), 4::bigint, 'each page is full');
select cmp_ok(after - before, '<', 1500::bigint, what || ': reads as many rows as it shows, and a few') from reads
  where what in ('first page', 'older jobs');
select is_empty('select what, after - before from reads where after - before >= 1500',
  'so does each other, however long the history is');

select * from finish();
rollback;
