begin;
select plan(5);

-- Of this account only the ends of the period are read: the statement is refused before its lines are.
insert into credit_accounts (id, user_id, balance, last_seq)
  values ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a1', 40000, 40000);
insert into credit_ledger (account_id, seq, delta, balance_after, kind, created_at, hash)
select '00000000-0000-4000-8000-0000000000a1', i, 1, i, 'grant', timestamptz '2026-01-01Z' + make_interval(mins => i),
  '' from generate_series(1, 40000) as i;
analyze credit_ledger;
create function pg_temp.lines(p_entries integer) returns json language sql as $$
  select account_statement_json('00000000-0000-4000-8000-0000000000a1', '2026-01-01Z',
    timestamptz '2026-01-01Z' + make_interval(mins => p_entries));
$$;
create function pg_temp.most() returns integer
  language sql as 'select 20000 - 2 - cardinality(enum_range(null::credit_entry_kind))';
select is(json_array_length(pg_temp.lines(pg_temp.most())), pg_temp.most() + 3,
  'as many entries as fit beside a sum of each kind');
select throws_ok('select pg_temp.lines(pg_temp.most() + 1)', 'PT413', 'the statement has more than 20000 lines',
  'and not one more');
create temp table reads as select idx_scan + seq_scan as scans, idx_tup_fetch + seq_tup_read as rows
  from pg_stat_xact_user_tables where relid = 'credit_ledger'::regclass;
select throws_ok('select pg_temp.lines(40000)', 'PT413', null, 'however many there are');
select cmp_ok((select idx_tup_fetch + seq_tup_read - reads.rows from reads, pg_stat_xact_user_tables
  where relid = 'credit_ledger'::regclass), '<', 100::bigint, 'which are not read for that');
select results_eq($$select line ->> 'line', line ->> 'seq', line ->> 'balance'
  from json_array_elements(pg_temp.lines(2)) as line$$,
  $$values ('opening', null, '0'), ('entry', '1', '1'), ('entry', '2', '2'), ('sum', null, null),
    ('closing', null, '2')$$, 'its lines are those of account_statement');

select * from finish();
rollback;
