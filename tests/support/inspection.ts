import type { Sql, TransactionSql } from "postgres";
import type { Bank } from "./bank.ts";

/** What is wrong with the accounts of a bank, read in one snapshot; nothing when they are sound. */
export async function inspect(sql: Sql, bank: Bank): Promise<unknown[]> {
  return await sql.begin(
    "isolation level repeatable read read only",
    async (tx) => [
      ...await brokenAccounts(tx, bank.accounts),
      ...await brokenTransfers(tx, bank.accounts),
      ...await tx`select * from public.reconciliation_discrepancies
        where account_id = any (${bank.accounts as string[]})`,
    ],
  );
}

/** Balance, limit, sequence, grants and statement of each account agree. */
function brokenAccounts(tx: TransactionSql, accounts: readonly string[]) {
  return tx`
    with sums as (
      select account_id, sum(delta) as total, count(*) as entries, count(distinct seq) as numbers, max(seq) as last
      from public.credit_ledger where account_id = any (${accounts as string[]}) group by account_id
    )
    select a.id, a.balance, a.last_seq, s.*, g.remaining, st.balance as closing
    from public.credit_accounts as a
    join sums as s on s.account_id = a.id
    cross join lateral (
      select coalesce(sum(remaining), 0) - a.overdraft_used as remaining
      from public.credit_grants where account_id = a.id) as g
    cross join lateral (
      select balance from public.account_statement(a.id, '2026-01-01', now() + interval '1 day')
      where line = 'closing') as st
    where a.id = any (${accounts as string[]})
      and (a.balance, a.balance, a.balance, a.last_seq, a.last_seq, a.last_seq)
        is distinct from (s.total, g.remaining, st.balance, s.entries, s.numbers, s.last)
      or a.id = any (${accounts as string[]}) and a.balance < -a.credit_limit - a.debt`;
}

/** What leaves one account by a transfer comes in at another. */
function brokenTransfers(tx: TransactionSql, accounts: readonly string[]) {
  return tx`
    select sum(delta) as gone from public.credit_ledger
    where account_id = any (${accounts as string[]}) and kind::text like 'transfer%' having sum(delta) <> 0`;
}

/** Acknowledged charges and grants that are not there, or there twice. */
export async function missing(sql: Sql, bank: Bank): Promise<unknown[]> {
  const acknowledged = (promises: Bank["charges"]) =>
    [...promises].filter(([, promise]) => promise.acknowledged)
      .map(([key]) => key);
  return [
    ...await sql`select key from unnest(${
      acknowledged(bank.charges)
    }::text[]) as key
      where 1 <> (select count(*) from public.generation_jobs where idempotency_key = key)`,
    ...await sql`select ref from unnest(${
      acknowledged(bank.grants)
    }::text[]) as ref
      where 1 <> (select count(*) from public.credit_grants where external_ref = ref)`,
  ];
}

const SWEEP_SECONDS = 60;

/**
 * Lets every open job be overdue, and sweeps until none is left; resolves to how many then are.
 * A sweep passes over an account that is busy, with the stack's own sweep too: that is not yet lost.
 */
export async function sweepAll(sql: Sql, bank: Bank): Promise<number> {
  const accounts = bank.accounts as string[];
  await sql`update public.generation_jobs set deadline_at = now()
    where status in ('pending', 'running') and account_id = any (${accounts})`;
  const end = Date.now() + SWEEP_SECONDS * 1000;
  for (;;) {
    await sql`select public.sweep_overdue_jobs()`;
    const [open] =
      await sql`select count(*)::integer from public.generation_jobs
      where status in ('pending', 'running') and account_id = any (${accounts})`;
    if (open!.count === 0 || Date.now() > end) return open!.count;
  }
}
