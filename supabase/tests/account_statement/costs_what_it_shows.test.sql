begin;
select plan(4);

-- One account of 200 entries and one of 40,000, of one entry a minute until now; only the pages that are read matter
-- here.
create function pg_temp.with_history(p_account uuid, p_entries integer) returns void language sql as $$
  insert into credit_accounts (id, user_id, balance, last_seq) values (p_account, p_account, p_entries, p_entries);
  insert into credit_ledger (account_id, seq, delta, balance_after, kind, created_at, hash)
  select p_account, i, 1, i, 'grant', now() - make_interval(mins => p_entries - i), ''
  from generate_series(1, p_entries) as i;
$$;
select pg_temp.with_history('00000000-0000-4000-8000-0000000000a1', 200);
select pg_temp.with_history('00000000-0000-4000-8000-0000000000b2', 40000);
analyze credit_ledger;
create function pg_temp.pages(p_account uuid, p_from interval, p_to interval) returns integer language plpgsql as $$
declare
  plan jsonb;
begin
  -- Twice: the first run also reads the catalog.
  for i in 1 .. 2 loop
    execute format('explain (analyze, buffers, format json) select * from account_statement(%L, %L, %L)', p_account,
      now() - p_from, now() - p_to) into plan;
  end loop;
  return (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::integer
    + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::integer;
end;
$$;
select is((select row(count(*) filter (where line = 'entry'), min(seq), max(seq))
  from account_statement('00000000-0000-4000-8000-0000000000b2', now() - interval '10 days 1 hour',
    now() - interval '10 days')), row(60::bigint, 25541::bigint, 25600::bigint), 'an hour of long ago');
select is((select array_agg(balance order by line desc)
  from account_statement('00000000-0000-4000-8000-0000000000b2', now() - interval '10 days 1 hour',
    now() - interval '10 days') where line in ('opening', 'closing')), array[25540, 25600]::bigint[],
  'with its balances');
select cmp_ok(pg_temp.pages('00000000-0000-4000-8000-0000000000b2', '1 hour', '0'), '<',
  3 * pg_temp.pages('00000000-0000-4000-8000-0000000000a1', '1 hour', '0'),
  'the last hour of a long history reads about what it does of a short one');
select cmp_ok(pg_temp.pages('00000000-0000-4000-8000-0000000000b2', '10 days 1 hour', '10 days'), '<',
  3 * pg_temp.pages('00000000-0000-4000-8000-0000000000a1', '1 hour', '0'), 'and so does one of long ago');

select * from finish();
rollback;
