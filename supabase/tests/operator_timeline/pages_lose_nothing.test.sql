begin;
select plan(6);

insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
-- Forty grants of 30, so that a charge of 500 has 17 entries; with denials between, some at the very time of an entry.
select grant_credits('00000000-0000-4000-8000-0000000000a1', 30) from generate_series(1, 40);
update credit_plans set rate_limit_requests = 1000;
create temp table job as select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a cat"}');
select from refund_credits((select job_id from job), 120, 'part');
select from refund_credits((select job_id from job), 130, 'part');
select from refund_credits((select job_id from job));
select reverse_grant('00000000-0000-4000-8000-0000000000a1', (select min(id) from credit_grants), t)
  from unnest(array[10, 20]) as t;
insert into credit_request_events (account_id, status, code, created_at)
  select account_id, 402, 'insufficient_credits', created_at from credit_ledger where seq % 3 = 0;

create temp table pages (place bigint generated always as identity, size integer, at timestamptz, key text,
  credits bigint);
grant all on pages to public;
create function pg_temp.read_pages(p_size integer) returns void language plpgsql as $$
declare
  last record;
  added bigint;
begin
  select null::timestamptz as at, null::text as key into last;
  loop
    insert into pages (size, at, key, credits)
    select p_size, t.at, t.key, t.credits
    from operator_timeline('00000000-0000-4000-8000-0000000000a1', last.at, last.key, p_size) as t;
    get diagnostics added = row_count;
    exit when added = 0;
    select at, key into last from pages where size = p_size order by place desc limit 1;
  end loop;
end;
$$;
create function pg_temp.first_page(p_size integer) returns void language sql as $$
  insert into pages (size, at, key, credits) select p_size, t.at, t.key, t.credits
  from operator_timeline('00000000-0000-4000-8000-0000000000a1', null, null, p_size) as t;
$$;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
select pg_temp.first_page(200);
select pg_temp.read_pages(s) from unnest(array[1, 2, 7, 50]) as s;
reset role;
select is((select count(*) from pages where size = 200), 40 + 1 + 3 + 2 + (
  select count(*) from credit_request_events), 'forty grants, a charge, three refunds, two reversals, and the denials');
select is((select sum(credits) from pages where size = 200), (select balance from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1')::numeric, 'and every credit in them');
select is_empty($$select size, at, key from pages group by size, at, key having count(*) > 1$$, 'no row comes twice');
create temp view lists as select size, array_agg(concat_ws(' ', key, credits) order by place) as told
  from pages group by size;
select is_empty('select size from lists where told <> (select told from lists where size = 200)',
  'pages of any size are the same list');

-- What was archived is still told.
select from verify_ledger('00000000-0000-4000-8000-0000000000a1');
select is((archive_ledger(clock_timestamp())).entries > 0, true, 'entries were archived');
set local role authenticated;
select bag_eq($$select key, credits from operator_timeline('00000000-0000-4000-8000-0000000000a1', p_limit => 200)$$,
  'select key, credits from pages where size = 200', 'the same list after they were archived');

select * from finish();
rollback;
