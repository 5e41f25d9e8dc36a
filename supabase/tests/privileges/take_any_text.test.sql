begin;
select plan(4);

-- Every text and jsonb argument of every public function, one at a time, out of the catalog: what breaks out of a
-- quote would leave test.injected, and what is oversized would stay in a row.
create function pg_temp.usual(p_name text, p_type regtype) returns text language sql as $$
  select case
    when p_name = 'p_job_id' then format('(select id from public.generation_jobs where account_id = %L limit 1)',
      '00000000-0000-4000-8000-0000000000a1')
    when p_name = 'p_grant_id' then format('(select id from public.credit_grants where account_id = %L)',
      '00000000-0000-4000-8000-0000000000a1')
    when p_name = 'p_event_id' then '(select id from public.credit_events)'
    when p_name in ('p_to_account_id', 'p_user_id') then '''00000000-0000-4000-8000-0000000000b2'''
    when p_name = 'p_model' then '''standard-image'''
    when p_name = 'p_role' then '''member'''
    when p_name = 'p_reason' then '''a usual reason'''
    when p_name = 'p_plan' then '''default'''
    when p_name = 'p_request' then '''{"input_tokens": 9}'''
    when p_name = 'p_requests' then '''[{"model": "standard-image", "input": {"prompt": "a"}}]'''
    else case p_type
      when 'uuid'::regtype then '''00000000-0000-4000-8000-0000000000a1'''
      when 'text'::regtype then '''usual'''
      when 'text[]'::regtype then '''{usual}'''
      when 'uuid[]'::regtype then '''{}'''
      when 'jsonb'::regtype then '''{"prompt": "a"}'''
      when 'public.credit_entry_kind'::regtype then '''grant'''
      when 'boolean'::regtype then 'false'
      when 'timestamptz'::regtype then '''2099-01-01'''
      else '1' end
  end;
$$;

create function pg_temp.largest_row() returns integer language plpgsql as $$
declare
  table_name regclass;
  bytes integer;
  largest integer := 0;
begin
  for table_name in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') loop
    execute format('select max(octet_length(t::text)) from %s as t', table_name) into bytes;
    largest := greatest(largest, bytes);
  end loop;
  return largest;
end;
$$;
-- Each call finds the same state: what it did is undone, once the largest row that it left has been measured.
create function pg_temp.try(statement text, out outcome text, out bytes integer) language plpgsql as $$
begin
  execute statement;
  bytes := pg_temp.largest_row();
  raise exception using errcode = 'ZZ000', message = 'done';
exception when others then
  outcome := sqlstate || ' ' || sqlerrm;
end;
$$;

create temp table hostile (name text, text_value text, jsonb_value text);
insert into hostile
  select 'injection', quote, quote_literal(jsonb_build_object('prompt', quote, quote, quote))
  from unnest(array[
    $$'||set_config('test.injected', 'yes', false)||'$$, $$'; select set_config('test.injected', 'yes', false); --$$,
    $$\'; select set_config('test.injected', 'yes', false); --$$,
    $$"; select set_config('test.injected', 'yes', false); --$$,
    $$$q$; select set_config('test.injected', 'yes', false); --$$, '%1$s %I %L %', $$) or true) --$$]) as quote
  union all
  select 'oversized', repeat('x', 1000000), quote_literal(jsonb_build_object('prompt', repeat('x', 1000000)));
update hostile set text_value = quote_literal(text_value);

create temp view calls as
  select h.name, p.proname, a.argname, format('select * from public.%I(%s)', p.proname, (
    select string_agg(format('%s => %s::%s', b.argname, case
        when b.argname <> a.argname then pg_temp.usual(b.argname, b.argtype)
        when b.argtype = 'text'::regtype then h.text_value else h.jsonb_value end, b.argtype), ', ')
    from unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]::regtype[]) as b (argname, argtype))) as statement
  from pg_proc as p
  cross join lateral unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]::regtype[]) as a (argname, argtype)
  cross join hostile as h
  where p.pronamespace = 'public'::regnamespace and a.argtype in ('text'::regtype, 'jsonb'::regtype)
    and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e');

-- As an operator, for whom nothing is closed.
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true), set_config(
  'request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "aal": "aal2"}', true);
insert into credit_plans (name, rate_limit_requests, max_concurrent_jobs) values ('unhurried', 1000, 1000);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000000);
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1000000);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'unhurried');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
insert into credit_events (account_id, type, payload)
  values ('00000000-0000-4000-8000-0000000000a1', 'balance.low', '{}');
create temp table outcomes as select c.name, c.proname, c.argname, t.outcome, t.bytes
  from calls as c, pg_temp.try(c.statement) as t;

select cmp_ok((select count(*) from outcomes), '>', 150::bigint, 'many calls');
select is_empty($$select * from outcomes where outcome ~ '^(42|XX|08|57|53|54)'$$,
  'none is a mistake of ours: no broken statement, no internal error');
select ok(coalesce(current_setting('test.injected', true), '') = '', 'no text is executed');
select is_empty($$select name, proname, argname, bytes from outcomes where bytes > 140000 and argname <> 'p_output'$$,
  'and no table keeps what is oversized but a picture');

select * from finish();
rollback;
