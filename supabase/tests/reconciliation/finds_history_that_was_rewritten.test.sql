begin;
select plan(7);

select grant_credits('00000000-0000-4000-8000-0000000000a1', i * 100) from generate_series(1, 5) as i;
select from reconcile_credit_ledger();
alter table credit_ledger disable rule credit_ledger_no_update;
alter table credit_ledger disable trigger user;
do $$
declare
  entry credit_ledger;
  previous bytea := (select hash from credit_ledger where seq = 1);
begin
  for entry in select * from credit_ledger where seq > 1 order by seq loop
    entry.reason := 'forged';
    previous := credits.entry_hash(previous, entry.account_id, entry.seq, entry.delta, entry.balance_after, entry.kind,
      entry.grant_id, entry.job_id, entry.reason, entry.metadata, entry.created_at);
    update credit_ledger set reason = entry.reason, hash = previous where seq = entry.seq;
  end loop;
  update credit_accounts set last_hash = previous;
end;
$$;
create temp table checkpoint as select * from credit_ledger_checkpoints;

select set_eq('select account_id, seq, problem from credit_ledger_chain_breaks',
  $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 5::bigint, 'checkpoint')$$,
  'a chain that holds, and is not the one that was verified');
select set_eq('select invariant, seq from reconciliation_discrepancies', $$values ('chain', 5::bigint)$$,
  'is a discrepancy');
select is(row(sound, broken_seq, problem), row(false, 5::bigint, 'checkpoint'::text),
  'verify_ledger names it from the first entry on')
from verify_ledger('00000000-0000-4000-8000-0000000000a1', true);
select is(row(sound, broken_seq, problem), row(false, 5::bigint, 'checkpoint'::text), 'and from the checkpoint on')
from verify_ledger('00000000-0000-4000-8000-0000000000a1');
select is(accounts_broken, 1::bigint, 'so does a deep run') from reconcile_credit_ledger(true);
select is(accounts_broken, 1::bigint, 'and one of what is new') from reconcile_credit_ledger();
select set_eq('select * from credit_ledger_checkpoints', 'select * from checkpoint',
  'the checkpoint stays, as evidence');

select * from finish();
rollback;
