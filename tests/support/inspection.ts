import type { Sql, TransactionSql } from "postgres";
import { type Bank, PRICE } from "./bank.ts";

/** What is wrong with the accounts of a bank, read in one snapshot; nothing when they are sound. */
export async function inspect(
  sql: Sql,
  bank: Bank,
  { isShard = false } = {},
): Promise<unknown[]> {
  return await sql.begin(
    "isolation level repeatable read read only",
    async (tx) => [
      ...await brokenAccounts(tx, bank.accounts),
      // On a shard they need not add up: credit_transfer_totals does.
      ...isShard ? [] : await brokenTransfers(tx, bank.accounts),
      ...await brokenMembers(tx, bank.team),
      ...await tx`select * from public.reconciliation_discrepancies
        where account_id = any (${bank.accounts as string[]})`,
    ],
  );
}

/** Balance, limit, sequence, grants and statement of each account agree; one that is gone, or has lost its ledger, does not. */
export function brokenAccounts(
  tx: TransactionSql,
  accounts: readonly string[],
) {
  return tx`
    with sums as (
      select account_id, sum(delta) as total, count(*) as entries, count(distinct seq) as numbers, max(seq) as last
      from public.credit_ledger where account_id = any (${accounts as string[]}) group by account_id
    )
    select opened.id, a.balance, a.last_seq, s.*, g.remaining, st.balance as closing
    from unnest(${accounts as string[]}::uuid[]) as opened (id)
    left join public.credit_accounts as a on a.id = opened.id
    left join sums as s on s.account_id = opened.id
    cross join lateral (
      select coalesce(sum(remaining), 0) - a.overdraft_used as remaining
      from public.credit_grants where account_id = a.id) as g
    left join lateral (
      select balance from public.account_statement(opened.id, '2026-01-01', now() + interval '1 day')
      where line = 'closing') as st on true
    where a.id is null or s.account_id is null or a.balance < -a.credit_limit - a.debt
      or (a.balance, a.balance, a.balance, a.last_seq, a.last_seq, a.last_seq)
        is distinct from (s.total, g.remaining, st.balance, s.entries, s.numbers, s.last)`;
}

/** What leaves one account by a transfer comes in at another. */
function brokenTransfers(tx: TransactionSql, accounts: readonly string[]) {
  return tx`
    select sum(delta) as gone from public.credit_ledger
    where account_id = any (${accounts as string[]}) and kind::text like 'transfer%' having sum(delta) <> 0`;
}

/** What counts towards a member's cap is what the member's jobs of this month cost. */
function brokenMembers(tx: TransactionSql, team: string) {
  return tx`
    select m.user_id, m.spent, j.cost
    from public.account_members as m
    cross join lateral (select date_trunc('month', now() at time zone 'utc') as start) as month
    cross join lateral (
      select coalesce(sum(cost - refunded), 0) as cost from public.generation_jobs
      where account_id = m.account_id and member_id = m.user_id
        and created_at >= month.start at time zone 'utc') as j
    where m.account_id = ${team}
      and case when m.spent_month = month.start::date then m.spent else 0 end <> j.cost`;
}

/** Answers that the database does not stand by: carried out and not there or otherwise, refused and there. */
export async function missing(sql: Sql, bank: Bank): Promise<unknown[]> {
  const told = bank.requests.filter(({ outcome }) => outcome !== "unanswered")
    .map(({ kind, key, account, to = null, credits, outcome }) => ({
      kind,
      key,
      account,
      to_account: to,
      credits,
      booked: outcome === "acknowledged",
    }));
  return [
    ...await unkept(sql, told),
    ...await revised(sql, bank),
  ];
}

type Told = Record<string, string | number | boolean | null>;

/** Charges, grants and transfers that were answered and are not so in the tables, to the amount. */
function unkept(sql: Sql, told: Told[]) {
  return sql`
    select told.* from jsonb_to_recordset(${sql.json(told)})
      as told (kind text, key text, account uuid, to_account uuid, credits bigint, booked boolean)
    cross join lateral (
      -- A job that came to more than it was charged says so when it has succeeded.
      select (j.input ->> 'n')::bigint * ${PRICE} = told.credits and j.cost >= told.credits
        and (j.cost = told.credits or j.status = 'succeeded') as right
      from public.generation_jobs as j
      where told.kind = 'charges' and j.account_id = told.account and j.idempotency_key = told.key
      union all
      select g.account_id = told.account and g.amount = told.credits from public.credit_grants as g
      where told.kind = 'grants' and g.external_ref = told.key
      union all
      select (t.from_account_id, t.to_account_id, t.amount) = (told.account, told.to_account, told.credits)
      from public.credit_transfers as t where told.kind = 'transfers' and t.external_ref = told.key
      union all
      select null
    ) as found
    group by told.kind, told.key, told.account, told.to_account, told.credits, told.booked
    having count(found.right) <> booked::integer or not coalesce(bool_and(found.right), true)`;
}

/** Jobs that are otherwise than was said: after its end only refunds are added to a job. */
function revised(sql: Sql, { ends }: Bank) {
  const said = [...ends].map(([id, end]) => ({ id, ...end }));
  return sql`
    select said.*, j.status as is_status, j.cost as is_cost, j.refunded as is_refunded
    from jsonb_to_recordset(${sql.json(said)})
      as said (id uuid, status text, cost bigint, refunded bigint, ended boolean)
    left join public.generation_jobs as j on j.id = said.id
    where j.id is null or j.refunded < said.refunded
      or said.ended and (j.status::text, j.cost) <> (said.status, said.cost)`;
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
