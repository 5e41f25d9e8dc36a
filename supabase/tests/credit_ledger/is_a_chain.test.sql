begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000, 'with | bars', p_metadata => '{"a": 1}');
select from fail_generation((select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')));
create temp table chain as select l.*, coalesce(lag(hash) over (order by seq), decode(repeat('00', 32), 'hex')) as previous from credit_ledger as l where account_id = '00000000-0000-4000-8000-0000000000a1';
select is((select count(*) from chain where hash = sha256(previous || convert_to(
  account_id || '|' || seq || '|' || delta || '|' || balance_after || '|' || kind || '|' || coalesce(grant_id::text, '') || '|' || coalesce(job_id::text, '') || '|'
  || (extract(epoch from created_at) * 1000000)::bigint || '|' || coalesce(length(reason) || ':' || reason, '') || '|' || coalesce(metadata::text, ''), 'UTF8'))), 3::bigint, 'each hash covers the one before and every field');
select is((select array_agg(seq order by seq) from chain), array[1, 2, 3]::bigint[], 'without a gap');
select is((select row(last_seq, last_hash) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), (select row(seq, hash) from chain where seq = 3), 'the account holds its end');

select * from finish();
rollback;
