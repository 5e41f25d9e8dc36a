begin;
select plan(9);

insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
insert into generation_jobs (id, account_id, status, model, price_effective_from, provider, cost, input, output, error,
  request_hash, created_at, ended_at, deadline_at)
select md5(n::text)::uuid, case n % 2 when 0 then '00000000-0000-4000-8000-0000000000a1'::uuid
    else '00000000-0000-4000-8000-0000000000a2' end,
  (array['succeeded', 'failed', 'running'])[1 + n % 3]::generation_job_status, 'standard-image', '2026-01-01',
  'placeholder', 500, '{"prompt": "a secret cat", "width": 64}', '{"outputs": [{"path": "secret/path", "bytes": 7}]}',
  '{"code": "provider_failed", "message": "their words"}', '\x00',
  -- Several at one time, and a long way back.
  now() - (n / 4) * interval '1 day', now(), now()
from generate_series(1, 1000) as n;
create temp table pages (place bigint generated always as identity, what text, job_id uuid, account_id uuid,
  status text);
grant all on pages to public;
create function pg_temp.read_pages(p_what text, p_account uuid, p_status text, p_size integer) returns void
language plpgsql as $$
declare
  last record;
  added bigint := 1;
begin
  select null::timestamptz as created_at, null::uuid as job_id into last;
  while added > 0 loop
    with page as (
      select * from operator_jobs_page(p_account, p_status, last.created_at, last.job_id, p_size)
    ), kept as (
      insert into pages (what, job_id, account_id, status) select p_what, job_id, account_id, status from page
    )
    select (select count(*) from page), p.created_at, p.job_id into added, last.created_at, last.job_id
    from (select 1) as one left join lateral (select * from page order by created_at, job_id limit 1) as p on true;
  end loop;
end;
$$;
create function pg_temp.wanted(p_account uuid, p_statuses text[]) returns setof uuid language sql as $$
  select id from generation_jobs where (p_account is null or account_id = p_account)
    and (p_statuses is null or status::text = any (p_statuses)) order by created_at desc, id desc;
$$;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
select pg_temp.read_pages('account', '00000000-0000-4000-8000-0000000000a1', null, 7);
select pg_temp.read_pages('all', null, null, 100);
select pg_temp.read_pages('failed', null, 'failed', 50);
select pg_temp.read_pages('open', '00000000-0000-4000-8000-0000000000a2', 'open', 3);
create temp table shown as select to_jsonb(j) as job from operator_jobs_page(p_limit => 1) as j;
select throws_ok('select from operator_jobs_page(p_limit => 0)', '22023', 'a page has 1 to 200 rows',
  'no page is empty');
reset role;

select results_eq($$select job_id from pages where what = 'account' order by place$$,
  $$select pg_temp.wanted('00000000-0000-4000-8000-0000000000a1', null)$$, 'an account''s jobs, page by page');
select results_eq($$select job_id from pages where what = 'all' order by place$$,
  $$select pg_temp.wanted(null, null)$$, 'the jobs of all, however far back');
select results_eq($$select job_id from pages where what = 'failed' order by place$$,
  $$select pg_temp.wanted(null, array['failed'])$$, 'those of a status');
select results_eq($$select job_id from pages where what = 'open' order by place$$,
  $$select pg_temp.wanted('00000000-0000-4000-8000-0000000000a2', array['running'])$$, 'those that are open');
select is((select job::text ~ 'secret' from shown), false, 'no prompt, and no path of a file');
select is((select job -> 'request' from shown), '{"width": 64}', 'what was asked for, in numbers');
select is((select array[job ->> 'error_code', job ->> 'error_message'] from shown),
  array['provider_failed', 'their words'], 'what the provider said');
select is((select array[job -> 'outputs', job -> 'output_bytes'] from shown), array['1', '7']::jsonb[],
  'how much came out');

select * from finish();
rollback;
