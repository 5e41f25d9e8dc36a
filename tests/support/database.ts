import postgres from "postgres";
import { BIGINT_AS_NUMBER } from "./bigint.ts";
import { stack } from "./stack.ts";

/**
 * A client that owns the schema and passes every row level policy, for
 * arranging and for looking behind the API. bigint columns come as numbers.
 */
export const sql = postgres(stack.databaseUrl, {
  max: 4,
  idle_timeout: 5,
  onnotice: () => {},
  types: BIGINT_AS_NUMBER,
});

/** What the ledger, the grants and the account say of one user's credits. */
export interface Books {
  readonly balance: number;
  readonly ledgerSum: number;
  readonly remaining: number;
}

/** Reads an account's balance together with what must equal it. */
export async function readBooks(accountId: string): Promise<Books> {
  const [books] = await sql<Books[]>`
    select
      a.balance,
      (select coalesce(sum(l.delta), 0)::bigint
         from public.credit_ledger l
        where l.account_id = a.id) as "ledgerSum",
      (select coalesce(sum(g.remaining), 0)::bigint
         from public.credit_grants g
        where g.account_id = a.id) - a.overdraft_used as "remaining"
    from public.credit_accounts a
    where a.id = ${accountId}
  `;
  if (!books) throw new Error(`no credit account ${accountId}`);
  return books;
}

/** The deltas of an account's ledger entries for jobs, oldest first. */
export async function readJobDeltas(accountId: string): Promise<number[]> {
  const entries = await sql<{ delta: number }[]>`
    select delta
    from public.credit_ledger
    where account_id = ${accountId} and job_id is not null
    order by seq
  `;
  return entries.map(({ delta }) => delta);
}

/** A job as the table holds it. */
export interface JobRow {
  readonly id: string;
  readonly status: string;
  readonly cost: number;
  readonly refunded: number;
  readonly output: unknown;
  readonly error: { code: string; message: string } | null;
}

/** Every job of an account, oldest first. */
export function readJobs(accountId: string): Promise<JobRow[]> {
  return sql<JobRow[]>`
    select id, status, cost, refunded, output, error
    from public.generation_jobs
    where account_id = ${accountId}
    order by created_at, id
  `;
}
