import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import process from "node:process";
import { z } from "zod";
import type { Database } from "../../supabase/database.types.ts";
import { run } from "./database.ts";

/** A supabase-js client with the secret key. */
export type OperatorClient = SupabaseClient<Database>;

const FINDINGS_SHOWN = 1000;

/** A numeric: the hosted Data API sends a number, the embedded one may send text. */
const decimal = z.union([z.number(), z.string()]).transform(Number);

const finding = z.object({
  invariant: z.string(),
  account_id: z.string(),
  job_id: z.string().nullable(),
  grant_id: z.number().nullable(),
  seq: z.number().nullable(),
  expected: z.number().nullable(),
  actual: z.number().nullable(),
  since: z.string().nullable(),
  payment_key: z.string().nullable(),
  reconciliation_classes: z.object({
    likely_cause: z.string(),
    remedy: z.string(),
  }),
}).transform((row) => ({
  invariant: row.invariant,
  accountId: row.account_id,
  jobId: row.job_id,
  grantId: row.grant_id,
  seq: row.seq,
  expected: row.expected,
  actual: row.actual,
  since: row.since,
  paymentKey: row.payment_key,
  likelyCause: row.reconciliation_classes.likely_cause,
  remedy: row.reconciliation_classes.remedy,
}));
/** A broken invariant: whose, what was expected and found (whole credits, or entries), and what to do. */
export type Discrepancy = z.output<typeof finding>;

const reconciliationRun = z.object({
  id: z.number(),
  deep: z.boolean(),
  started_at: z.string(),
  finished_at: z.string(),
  accounts_checked: z.number(),
  entries_checked: z.number(),
  accounts_broken: z.number(),
  discrepancies: z.number(),
}).transform((row) => ({
  runId: row.id,
  deep: row.deep,
  startedAt: row.started_at,
  finishedAt: row.finished_at,
  accountsChecked: row.accounts_checked,
  entriesChecked: row.entries_checked,
  accountsBroken: row.accounts_broken,
  discrepancies: row.discrepancies,
}));

/** What a reconciliation found. */
export interface Reconciliation {
  /** The run as reconciliation_runs keeps it; `discrepancies` is 0 when every credit is accounted for. */
  summary: z.output<typeof reconciliationRun>;
  /** The first 1,000 findings of the run. */
  discrepancies: Discrepancy[];
}

/**
 * Checks that every credit is accounted for (SQL: reconcile_credit_ledger).
 *
 * @param options `deep`: everything, instead of what is new since the last run
 * @throws {DatabaseError} where the database refuses or cannot be reached
 */
export async function reconcileCreditLedger(
  { deep = false }: { deep?: boolean } = {},
  client: OperatorClient = clientFromEnvironment(),
): Promise<Reconciliation> {
  const summary = await run(
    client.rpc("reconcile_credit_ledger", { p_deep: deep }),
    reconciliationRun,
  );
  const discrepancies = await run(
    client.from("reconciliation_findings")
      .select("*, reconciliation_classes(likely_cause, remedy)")
      .eq("run_id", summary.runId).limit(FINDINGS_SHOWN),
    z.array(finding),
  );
  return { summary, discrepancies };
}

const generationStats = z.object({
  hours: z.number(),
  total_jobs: z.number(),
  completed_jobs: z.number(),
  failed_jobs: z.number(),
  canceled_jobs: z.number(),
  open_jobs: z.number(),
  success_rate: decimal.nullable(),
  p50_seconds: decimal.nullable(),
  p95_seconds: decimal.nullable(),
  p99_seconds: decimal.nullable(),
  credits_charged: z.number(),
  credits_refunded: z.number(),
  denials: z.number(),
  rate_limit_hits: z.number(),
  healthy: z.boolean(),
}).transform((row) => ({
  hours: row.hours,
  totalJobs: row.total_jobs,
  completedJobs: row.completed_jobs,
  failedJobs: row.failed_jobs,
  canceledJobs: row.canceled_jobs,
  openJobs: row.open_jobs,
  successRate: row.success_rate,
  p50Seconds: row.p50_seconds,
  p95Seconds: row.p95_seconds,
  p99Seconds: row.p99_seconds,
  creditsCharged: row.credits_charged,
  creditsRefunded: row.credits_refunded,
  denials: row.denials,
  rateLimitHits: row.rate_limit_hits,
  healthy: row.healthy,
}));
/** How generations went; see the SQL type generation_stats for units. */
export type GenerationStats = z.output<typeof generationStats>;

/**
 * How generations went in the last hours (SQL: get_generation_stats).
 *
 * @param hours 1 to 8760
 * @throws {DatabaseError} where the database refuses or cannot be reached
 */
export function getGenerationStats(
  hours = 24,
  client: OperatorClient = clientFromEnvironment(),
): Promise<GenerationStats> {
  return run(
    client.rpc("get_generation_stats", { p_hours: hours }),
    generationStats,
  );
}

const anomaly = z.object({
  rule: z.string(),
  account_id: z.string().nullable(),
  observed: decimal,
  threshold: decimal,
  detail: z.string(),
  since: z.string(),
}).transform(({ account_id, ...row }) => ({ accountId: account_id, ...row }));
/** What a rule of credit_anomaly_rules found. */
export type Anomaly = z.output<typeof anomaly>;

/**
 * Accounts that behave as no honest user does (SQL: detect_anomalies).
 *
 * @param hours how far back to look: 1 to 8760
 * @throws {DatabaseError} where the database refuses or cannot be reached
 */
export async function detectAnomalies(
  hours = 24,
  client: OperatorClient = clientFromEnvironment(),
): Promise<{ suspiciousActivity: Anomaly[] }> {
  const suspiciousActivity = await run(
    client.rpc("detect_anomalies", { p_hours: hours }),
    z.array(anomaly),
  );
  return { suspiciousActivity };
}

/**
 * A client for SUPABASE_URL with SUPABASE_SECRET_KEY.
 *
 * @throws where one of them is missing
 */
function clientFromEnvironment(): OperatorClient {
  const { SUPABASE_URL: url, SUPABASE_SECRET_KEY: key } = process.env;
  if (!url || !key) {
    throw new Error(
      "Set SUPABASE_URL and SUPABASE_SECRET_KEY; npm start writes both to .env.local.",
    );
  }
  return operatorClient(url, key);
}

/** A client for a project with its secret key. */
export function operatorClient(
  url: string,
  secretKey: string,
): OperatorClient {
  return createClient<Database>(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    // Node 20 has no WebSocket, and none is needed here.
    realtime: { transport: globalThis.WebSocket ?? class {} },
  });
}
