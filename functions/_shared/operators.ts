import type { SupabaseClient } from "@supabase/supabase-js";
import { dataOf } from "./database_error.ts";
import { clientFromEnvironment } from "./operator_client.ts";

// Also what @atomic-credits/client/operators is made of: nothing but supabase-js may be needed.

/** A supabase-js client with the secret key, with or without the database's types. */
export type AnyOperatorClient = Pick<SupabaseClient, "rpc" | "from">;

const FINDINGS_SHOWN = 1000;

/** The number of a run of several databases, past one: each has numbers of its own. */
const SEVERAL_RUNS = 0;

/** A numeric: the hosted Data API sends a number, the embedded one may send text. */
type Decimal = number | string;

/** A broken invariant: whose, what was expected and found (whole credits, or entries), and what to do. */
export interface Discrepancy {
  invariant: string;
  accountId: string;
  jobId: string | null;
  grantId: number | null;
  seq: number | null;
  expected: number | null;
  actual: number | null;
  since: string | null;
  paymentKey: string | null;
  likelyCause: string;
  remedy: string;
}

interface BrokenRow {
  invariant: string;
  account_id: string;
  job_id: string | null;
  grant_id: number | null;
  seq: number | null;
  expected: number | null;
  actual: number | null;
  since: string | null;
  payment_key: string | null;
}

interface FindingRow extends BrokenRow {
  reconciliation_classes: { likely_cause: string; remedy: string };
}

interface DiscrepancyRow extends BrokenRow {
  likely_cause: string;
  remedy: string;
}

const toDiscrepancy = (row: DiscrepancyRow): Discrepancy => ({
  invariant: row.invariant,
  accountId: row.account_id,
  jobId: row.job_id,
  grantId: row.grant_id,
  seq: row.seq,
  expected: row.expected,
  actual: row.actual,
  since: row.since,
  paymentKey: row.payment_key,
  likelyCause: row.likely_cause,
  remedy: row.remedy,
});

/**
 * A run as reconciliation_runs keeps it; `discrepancies` is 0 when every credit is accounted for. `runId` is 0 for the
 * runs of several databases, past one.
 */
export interface ReconciliationSummary {
  runId: number;
  deep: boolean;
  startedAt: string;
  finishedAt: string;
  accountsChecked: number;
  entriesChecked: number;
  accountsBroken: number;
  discrepancies: number;
}

interface RunRow {
  id: number;
  deep: boolean;
  started_at: string;
  finished_at: string;
  accounts_checked: number;
  entries_checked: number;
  accounts_broken: number;
  discrepancies: number;
}

const toSummary = (row: RunRow): ReconciliationSummary => ({
  runId: row.id,
  deep: row.deep,
  startedAt: row.started_at,
  finishedAt: row.finished_at,
  accountsChecked: row.accounts_checked,
  entriesChecked: row.entries_checked,
  accountsBroken: row.accounts_broken,
  discrepancies: row.discrepancies,
});

/** What a reconciliation found. */
export interface Reconciliation {
  summary: ReconciliationSummary;
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
  client: AnyOperatorClient = clientFromEnvironment(),
): Promise<Reconciliation> {
  const run = await dataOf(
    client.rpc("reconcile_credit_ledger", { p_deep: deep }),
  );
  const summary = toSummary(run as RunRow);
  return { summary, discrepancies: await findingsOf(summary, client) };
}

async function findingsOf(
  { runId, discrepancies }: ReconciliationSummary,
  client: AnyOperatorClient,
): Promise<Discrepancy[]> {
  if (discrepancies === 0) return [];
  if (runId === SEVERAL_RUNS) {
    // What differs now, on all of them: findings name a run, and each database numbers its own.
    const rows = await dataOf(
      client.from("reconciliation_discrepancies").select("*")
        .limit(FINDINGS_SHOWN),
    );
    return (rows as DiscrepancyRow[]).map(toDiscrepancy);
  }
  const rows = await dataOf(
    client.from("reconciliation_findings")
      .select("*, reconciliation_classes(likely_cause, remedy)")
      .eq("run_id", runId).limit(FINDINGS_SHOWN),
  );
  return (rows as FindingRow[]).map((row) =>
    toDiscrepancy({ ...row, ...row.reconciliation_classes })
  );
}

/** How generations went; see the SQL type generation_stats for units. */
export interface GenerationStats {
  hours: number;
  totalJobs: number;
  completedJobs: number;
  failedJobs: number;
  canceledJobs: number;
  openJobs: number;
  successRate: number | null;
  p50Seconds: number | null;
  p95Seconds: number | null;
  p99Seconds: number | null;
  creditsCharged: number;
  creditsRefunded: number;
  denials: number;
  rateLimitHits: number;
  healthy: boolean;
}

interface StatsRow {
  hours: number;
  total_jobs: number;
  completed_jobs: number;
  failed_jobs: number;
  canceled_jobs: number;
  open_jobs: number;
  success_rate: Decimal | null;
  p50_seconds: Decimal | null;
  p95_seconds: Decimal | null;
  p99_seconds: Decimal | null;
  credits_charged: number;
  credits_refunded: number;
  denials: number;
  rate_limit_hits: number;
  healthy: boolean;
}

const ifAny = (value: Decimal | null) => value === null ? null : Number(value);

const toStats = (row: StatsRow): GenerationStats => ({
  hours: row.hours,
  totalJobs: row.total_jobs,
  completedJobs: row.completed_jobs,
  failedJobs: row.failed_jobs,
  canceledJobs: row.canceled_jobs,
  openJobs: row.open_jobs,
  successRate: ifAny(row.success_rate),
  p50Seconds: ifAny(row.p50_seconds),
  p95Seconds: ifAny(row.p95_seconds),
  p99Seconds: ifAny(row.p99_seconds),
  creditsCharged: row.credits_charged,
  creditsRefunded: row.credits_refunded,
  denials: row.denials,
  rateLimitHits: row.rate_limit_hits,
  healthy: row.healthy,
});

/**
 * How generations went in the last hours (SQL: get_generation_stats).
 *
 * @param hours 1 to 8760
 * @throws {DatabaseError} where the database refuses or cannot be reached
 */
export async function getGenerationStats(
  hours = 24,
  client: AnyOperatorClient = clientFromEnvironment(),
): Promise<GenerationStats> {
  const row = await dataOf(
    client.rpc("get_generation_stats", { p_hours: hours }),
  );
  return toStats(row as StatsRow);
}

/** What a rule of credit_anomaly_rules found. */
export interface Anomaly {
  accountId: string | null;
  rule: string;
  observed: number;
  threshold: number;
  detail: string;
  since: string;
}

interface AnomalyRow {
  account_id: string | null;
  rule: string;
  observed: Decimal;
  threshold: Decimal;
  detail: string;
  since: string;
}

const toAnomaly = (row: AnomalyRow): Anomaly => ({
  accountId: row.account_id,
  rule: row.rule,
  observed: Number(row.observed),
  threshold: Number(row.threshold),
  detail: row.detail,
  since: row.since,
});

/**
 * Accounts that behave as no honest user does (SQL: detect_anomalies).
 *
 * @param hours how far back to look: 1 to 8760
 * @throws {DatabaseError} where the database refuses or cannot be reached
 */
export async function detectAnomalies(
  hours = 24,
  client: AnyOperatorClient = clientFromEnvironment(),
): Promise<{ suspiciousActivity: Anomaly[] }> {
  const rows = await dataOf(
    client.rpc("detect_anomalies", { p_hours: hours }),
  );
  return { suspiciousActivity: (rows as AnomalyRow[]).map(toAnomaly) };
}
