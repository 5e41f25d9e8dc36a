import { z } from "zod";
import { run, userClient } from "./database.ts";
import { instant } from "./moment.ts";
import type { GenerationInput } from "./generation_request.ts";
import {
  PAYMENT_COLUMNS,
  type PaymentRow,
  paymentRow,
  type ProductRow,
  productRow,
} from "./payment_rows.ts";
import {
  credits,
  type GenerationQuote,
  generationQuote,
  jobError,
  jobStatus,
  type TextQuote,
  textQuote,
} from "./results.ts";
import type { TextBounds } from "./text_database.ts";

const JOB_COLUMNS =
  "id, status, model, cost, refunded, error, created_at, started_at, ended_at, deadline_at";

/** A job as a page shows it; amounts are whole credits. */
export const jobRow = z.object({
  id: z.guid(),
  status: jobStatus,
  model: z.string(),
  cost: credits.describe("credits that were charged"),
  refunded: credits.describe("credits that came back"),
  error: jobError.nullable(),
  created_at: instant,
  started_at: instant.nullable(),
  ended_at: instant.nullable(),
  deadline_at: instant.describe("when it is refunded if it has not ended"),
});
/** A job as a page shows it. */
export type JobRow = z.infer<typeof jobRow>;

export const jobDetail = jobRow.extend({
  input: z.unknown().describe("what was asked for; null once it is deleted"),
  output: z.unknown().describe(
    "what came of it where that is no list of outputs",
  ),
  output_deleted_at: instant.nullable().describe(
    "when its files were deleted, which outputs then still names",
  ),
  erased_at: instant.nullable().describe("when its content was deleted"),
});
/** A job with what was asked for and what came of it. */
export type JobDetail = z.infer<typeof jobDetail>;

export const accountRow = z.object({
  id: z.guid(),
  balance: credits.describe("with what is due as if it were booked"),
  credit_limit: credits.describe("how far below 0 the balance may go"),
  plan: z.string(),
});
/** A user's account; amounts are whole credits, the balance with what is due. */
export type AccountRow = z.infer<typeof accountRow>;

export const grantRow = z.object({
  id: z.number().meta({ type: "integer" }),
  kind: z.string(),
  amount: credits,
  remaining: credits,
  expires_at: instant,
}).meta({ id: "ExpiringGrant" });
/** A grant that expires and has credits left. */
export type GrantRow = z.infer<typeof grantRow>;

/** Most grants that a balance lists. */
const MOST_GRANTS = 100;

const expiringGrant = z.object({
  ...grantRow.shape,
  grants_in_all: z.number(),
  credits_in_all: z.number(),
});

export const expiringGrants = z.object({
  expiring_grants: z.array(grantRow),
  more_expiring_grants: z.object({ grants: z.number().int(), credits }),
});
/** The grants that expire next, and what further ones there are. */
export type ExpiringGrants = z.infer<typeof expiringGrants>;

export const entryRow = z.object({
  seq: z.number().int(),
  delta: credits.describe("what it changed"),
  balance_after: credits,
  kind: z.string(),
  grant_id: z.number().meta({ type: "integer" }).nullable(),
  job_id: z.guid().nullable(),
  reason: z.string().nullable(),
  metadata: z.unknown(),
  created_at: instant,
}).meta({ id: "LedgerEntry" });
/** An entry of the ledger. */
export type EntryRow = z.infer<typeof entryRow>;

export const statementLine = z.object({
  line: z.enum(["opening", "entry", "sum", "debt", "closing"]),
  seq: z.number().int().nullable(),
  created_at: instant.nullable(),
  kind: z.string().nullable(),
  credits: credits.nullable(),
  balance: credits.nullable(),
  grant_id: z.number().meta({ type: "integer" }).nullable(),
  job_id: z.guid().nullable(),
  reason: z.string().nullable(),
}).meta({ id: "StatementLine" });
/** A line of a statement; amounts are whole credits. */
export type StatementLine = z.infer<typeof statementLine>;

/** What a statement is of. Times are RFC 3339. */
export interface StatementPeriod {
  accountId: string;
  from: string;
  to: string;
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

/** Where a page of payments goes on: after this payment, newest first. */
export interface PaymentPosition {
  created_at: string;
  key: string;
}

/** What a user may read of their own and their teams' accounts, under RLS. Each throws DatabaseError where the database cannot be reached. */
export interface UserRows {
  job(id: string): Promise<JobDetail | null>;
  jobs(filter: JobFilter): Promise<JobRow[]>;
  account(id: string): Promise<AccountRow | null>;
  expiringGrants(accountId: string): Promise<ExpiringGrants>;
  entries(
    accountId: string,
    rows: number,
    beforeSeq?: number,
  ): Promise<EntryRow[]>;
  /** All lines, of one moment; the database refuses too many of them with PT413. */
  statement(period: StatementPeriod): Promise<StatementLine[]>;
  quote(
    model: string,
    input: GenerationInput,
  ): Promise<GenerationQuote>;
  /** What a provider sells now. */
  products(provider: string, livemode: boolean): Promise<ProductRow[]>;
  payments(
    accountId: string,
    rows: number,
    after?: PaymentPosition,
  ): Promise<PaymentRow[]>;
  /** How many tokens a picture counts for; null: the model takes none. */
  pictureTokens(model: string): Promise<number | null>;
  quoteText(model: string, bounds: TextBounds): Promise<TextQuote>;
}

/** Reads the rows of the user who holds this verified token. */
export function userRows(token: string): UserRows {
  const client = userClient(token);
  return {
    job: (id) =>
      run(
        client.from("generation_jobs").select(
          `${JOB_COLUMNS}, input, output, output_deleted_at, erased_at`,
        )
          .eq("id", id).maybeSingle(),
        jobDetail.nullable(),
      ),
    jobs: ({ accountId, status, after, rows }) => {
      let query = client.from("generation_jobs").select(JOB_COLUMNS)
        .eq("account_id", accountId);
      if (status) query = query.eq("status", status);
      if (after) query = query.or(olderThan(after, "id"));
      query = query.order("created_at", { ascending: false })
        .order("id", { ascending: false }).limit(rows);
      return run(query, z.array(jobRow));
    },
    account: (id) =>
      run(
        client.from("account_balances")
          .select("id:account_id, balance, credit_limit, plan")
          .eq("account_id", id).maybeSingle(),
        accountRow.nullable(),
      ),
    expiringGrants: async (accountId) =>
      toExpiringGrants(
        await run(
          client.rpc("account_expiring_grants", { p_account_id: accountId })
            .limit(MOST_GRANTS),
          z.array(expiringGrant),
        ),
      ),
    entries: (accountId, rows, beforeSeq) => {
      let query = client.from("credit_ledger").select(
        "seq, delta, balance_after, kind, grant_id, job_id, reason, metadata, created_at",
      ).eq("account_id", accountId);
      if (beforeSeq !== undefined) query = query.lt("seq", beforeSeq);
      query = query.order("seq", { ascending: false }).limit(rows);
      return run(query, z.array(entryRow));
    },
    statement: ({ accountId, from, to }) =>
      run(
        client.rpc("account_statement_json", {
          p_account_id: accountId,
          p_from: from,
          p_to: to,
        }),
        z.array(statementLine),
      ),
    quote: (model, input) =>
      run(
        client.rpc("quote_generation", { p_model: model, p_input: input }),
        generationQuote,
      ),
    products: (provider, livemode) =>
      run(
        client.from("credit_products").select(
          "name, kind, credits, plan, expires_after_seconds, unit_amount, currency, max_quantity",
        ).eq("provider", provider).eq("livemode", livemode)
          .order("unit_amount").order("name"),
        z.array(productRow),
      ),
    payments: (accountId, rows, after) => {
      let query = client.from("payments").select(PAYMENT_COLUMNS)
        .eq("account_id", accountId);
      if (after) query = query.or(olderThan(after, "key"));
      query = query.order("created_at", { ascending: false })
        .order("key", { ascending: false }).limit(rows);
      return run(query, z.array(paymentRow));
    },
    pictureTokens: async (model) => {
      const found = await run(
        client.from("generation_models").select("image_tokens")
          .eq("name", model).maybeSingle(),
        z.object({ image_tokens: z.number().nullable() }).nullable(),
      );
      return found && found.image_tokens;
    },
    quoteText: async (model, bounds) => {
      const rows = await run(
        client.rpc("quote_text", { p_model: model, p_request: bounds }),
        z.union([textQuote, z.array(textQuote).length(1)]),
      );
      return [rows].flat()[0]!;
    },
  };
}

// Quoted, because a timestamp has characters that separate filters.
function olderThan<Name extends "id" | "key">(
  after: { created_at: string } & Record<Name, string>,
  name: Name,
): string {
  const at = `"${after.created_at}"`;
  return `created_at.lt.${at},` +
    `and(created_at.eq.${at},${name}.lt."${after[name]}")`;
}

function toExpiringGrants(
  rows: z.infer<typeof expiringGrant>[],
): ExpiringGrants {
  const shown = rows.reduce((sum, { remaining }) => sum + remaining, 0);
  const { grants_in_all: grants = 0, credits_in_all: credits = 0 } = rows[0] ??
    {};
  return {
    expiring_grants: rows.map((row) => grantRow.parse(row)),
    more_expiring_grants: {
      grants: grants - rows.length,
      credits: credits - shown,
    },
  };
}
