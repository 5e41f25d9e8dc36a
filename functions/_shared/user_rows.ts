import { z } from "zod";
import { run, userClient } from "./database.ts";
import type { GenerationInput } from "./generation_request.ts";
import {
  type GenerationQuote,
  generationQuote,
  jobError,
  jobStatus,
} from "./verdicts.ts";

const JOB_COLUMNS =
  "id, status, model, cost, refunded, error, created_at, started_at, ended_at, deadline_at";

/** A job as a page shows it; amounts are whole credits. */
const jobRow = z.object({
  id: z.guid(),
  status: jobStatus,
  model: z.string(),
  cost: z.number(),
  refunded: z.number(),
  error: jobError.nullable(),
  created_at: z.string(),
  started_at: z.string().nullable(),
  ended_at: z.string().nullable(),
  deadline_at: z.string(),
});
/** A job as a page shows it. */
export type JobRow = z.infer<typeof jobRow>;

const jobDetail = jobRow.extend({ input: z.unknown(), output: z.unknown() });
/** A job with what was asked for and what came of it. */
export type JobDetail = z.infer<typeof jobDetail>;

const providerJob = z.object({
  provider: z.string(),
  provider_job_id: z.string().nullable(),
});
/** Which provider has a job, and under which id; not for answers. */
export type ProviderJob = z.infer<typeof providerJob>;

const accountRow = z.object({
  id: z.guid(),
  balance: z.number(),
  credit_limit: z.number(),
  plan: z.string(),
});
/** A user's account; amounts are whole credits. */
export type AccountRow = z.infer<typeof accountRow>;

const grantRow = z.object({
  id: z.number(),
  kind: z.string(),
  amount: z.number(),
  remaining: z.number(),
  expires_at: z.string(),
});
/** A grant that expires and has credits left. */
export type GrantRow = z.infer<typeof grantRow>;

const entryRow = z.object({
  seq: z.number().int(),
  delta: z.number(),
  balance_after: z.number(),
  kind: z.string(),
  grant_id: z.number().nullable(),
  job_id: z.guid().nullable(),
  reason: z.string().nullable(),
  metadata: z.unknown(),
  created_at: z.string(),
});
/** An entry of the ledger. */
export type EntryRow = z.infer<typeof entryRow>;

const statementLine = z.object({
  line: z.enum(["opening", "entry", "sum", "debt", "closing"]),
  seq: z.number().int().nullable(),
  created_at: z.string().nullable(),
  kind: z.string().nullable(),
  credits: z.number().nullable(),
  balance: z.number().nullable(),
  grant_id: z.number().nullable(),
  job_id: z.guid().nullable(),
  reason: z.string().nullable(),
});
/** A line of a statement; amounts are whole credits. */
export type StatementLine = z.infer<typeof statementLine>;

/** Which lines of which statement to read. Times are RFC 3339. */
export interface StatementPeriod {
  accountId: string;
  from: string;
  to: string;
  offset: number;
  /** Most lines. */
  lines: number;
}

/** Where a page of jobs goes on: after this job, newest first. */
export interface JobPosition {
  created_at: string;
  id: string;
}

/** Which jobs to list. */
export interface JobFilter {
  accountId: string;
  status?: z.infer<typeof jobStatus>;
  after?: JobPosition;
  /** Most rows. */
  rows: number;
}

/** What a user may read of their own and their teams' accounts, under RLS. Each throws DatabaseError where the database cannot be reached. */
export interface UserRows {
  job(id: string): Promise<JobDetail | null>;
  providerJob(id: string): Promise<ProviderJob | null>;
  jobs(filter: JobFilter): Promise<JobRow[]>;
  account(id: string): Promise<AccountRow | null>;
  expiringGrants(accountId: string): Promise<GrantRow[]>;
  entries(
    accountId: string,
    rows: number,
    beforeSeq?: number,
  ): Promise<EntryRow[]>;
  statement(period: StatementPeriod): Promise<StatementLine[]>;
  quote(
    model: string,
    input: GenerationInput,
  ): Promise<GenerationQuote>;
}

/** Reads the rows of the user who holds this verified token. */
export function userRows(token: string): UserRows {
  const client = userClient(token);
  return {
    job: (id) =>
      run(
        client.from("generation_jobs").select(`${JOB_COLUMNS}, input, output`)
          .eq("id", id).maybeSingle(),
        jobDetail.nullable(),
      ),
    providerJob: (id) =>
      run(
        client.from("generation_jobs").select("provider, provider_job_id")
          .eq("id", id).maybeSingle(),
        providerJob.nullable(),
      ),
    jobs: ({ accountId, status, after, rows }) => {
      let query = client.from("generation_jobs").select(JOB_COLUMNS)
        .eq("account_id", accountId);
      if (status) query = query.eq("status", status);
      if (after) query = query.or(olderThan(after));
      query = query.order("created_at", { ascending: false })
        .order("id", { ascending: false }).limit(rows);
      return run(query, z.array(jobRow));
    },
    account: (id) =>
      run(
        client.from("credit_accounts").select("id, balance, credit_limit, plan")
          .eq("id", id).maybeSingle(),
        accountRow.nullable(),
      ),
    expiringGrants: (accountId) =>
      run(
        client.from("credit_grants")
          .select("id, kind, amount, remaining, expires_at")
          .eq("account_id", accountId).gt("remaining", 0)
          .not("expires_at", "is", null).order("expires_at").limit(100),
        z.array(grantRow),
      ),
    entries: (accountId, rows, beforeSeq) => {
      let query = client.from("credit_ledger").select(
        "seq, delta, balance_after, kind, grant_id, job_id, reason, metadata, created_at",
      ).eq("account_id", accountId);
      if (beforeSeq !== undefined) query = query.lt("seq", beforeSeq);
      query = query.order("seq", { ascending: false }).limit(rows);
      return run(query, z.array(entryRow));
    },
    statement: ({ accountId, from, to, offset, lines }) =>
      run(
        client.rpc("account_statement", {
          p_account_id: accountId,
          p_from: from,
          p_to: to,
        }).range(offset, offset + lines - 1),
        z.array(statementLine),
      ),
    quote: (model, input) =>
      run(
        client.rpc("quote_generation", { p_model: model, p_input: input }),
        generationQuote,
      ),
  };
}

// Quoted, because a timestamp has characters that separate filters.
function olderThan({ created_at, id }: JobPosition): string {
  return `created_at.lt."${created_at}",` +
    `and(created_at.eq."${created_at}",id.lt.${id})`;
}
