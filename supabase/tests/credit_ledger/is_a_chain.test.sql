begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000, 'with | bars', p_metadata => '{"a": 1}');
set local client_encoding = latin1;
select from fail_generation((select job_id
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')));
create temp table chain as select l.*,
  coalesce(lag(hash) over (order by seq), decode(repeat('00', 32), 'hex')) as previous from credit_ledger as l
  where account_id = '00000000-0000-4000-8000-0000000000a1';
create function pg_temp.field(p_type regtype, p_value bytea) returns bytea language sql
return int4send(p_type::oid::integer) || int4send(coalesce(length(p_value), -1)) || coalesce(p_value, '');
select is((select count(*) from chain where hash = sha256(previous || int4send(10)
  || pg_temp.field('uuid', uuid_send(account_id)) || pg_temp.field('bigint', int8send(seq))
  || pg_temp.field('bigint', int8send(delta))
  || pg_temp.field('bigint', int8send(balance_after)) || pg_temp.field('text', convert_to(kind::text, 'UTF8'))
  || pg_temp.field('bigint', int8send(grant_id)) || pg_temp.field('uuid', uuid_send(job_id))
  || pg_temp.field('timestamptz', timestamptz_send(created_at)) || pg_temp.field('bytea', convert_to(reason, 'UTF8'))
  || pg_temp.field('bytea', convert_to(metadata::text, 'UTF8')))), 3::bigint,
  'each hash covers the one before and every field');
select is((select count(*) from chain as c join credits.chain_links as l using (account_id, seq)
  where l.follows and c.hash = credits.entry_hash(
  c.previous, c.account_id, c.seq, c.delta, c.balance_after, c.kind, c.grant_id, c.job_id, c.reason, c.metadata,
  c.created_at)), 3::bigint, 'and is checked as it is made');
select is((select array_agg(seq order by seq) from chain), array[1, 2, 3]::bigint[], 'without a gap');
select is((select row(last_seq, last_hash) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(seq, hash) from chain where seq = 3), 'the account holds its end');

select * from finish();
rollback;
