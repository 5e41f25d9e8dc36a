/**
 * How a function is sent to shards that no account and no job decides on.
 *
 * - sum: all shards run it; the result is the sum of theirs.
 * - rows: all shards run it; the result is the rows of all.
 * - any: one shard answers, as all would say the same.
 * - router: the router's own tables decide; it runs there as it is.
 * - new: the first argument of that name is made on the router when it is null, and decides.
 * - pair: the first account decides; the second must live on the same shard.
 * - refused: it cannot be merged honestly. The reason is what a caller reads.
 */
export type Merge =
  | { readonly by: "sum" | "rows" | "any" | "router" }
  | { readonly by: "new"; readonly argument: string }
  | { readonly by: "pair"; readonly from: string; readonly to: string }
  | { readonly by: "refused"; readonly reason: string };

const SUM: Merge = { by: "sum" };
const ROWS: Merge = { by: "rows" };
const ROUTER: Merge = { by: "router" };
const refused = (reason: string): Merge => ({ by: "refused", reason });

const NOT_MERGED = "Its result cannot be merged: call it on each shard.";
const NO_SLOT = "Its argument does not say on which shard it lives.";

/** The one list that is kept by hand: of functions without p_account_id and p_job_id. */
export const MERGES: Readonly<Record<string, Merge>> = {
  "credits.my_account_ids": ROWS,
  "credits.my_paying_account_ids": ROWS,
  "public.acknowledge_alert": refused(NO_SLOT),
  "public.announce_expiring_grants": SUM,
  "public.apply_retention": SUM,
  "public.apply_schedule": SUM,
  "public.archive_ledger": refused(NOT_MERGED),
  "public.book_payment": refused(NO_SLOT),
  "public.book_subscription": refused(NO_SLOT),
  "public.claim_events": ROWS,
  "public.claim_outputs_to_move": ROWS,
  "public.claim_provider_asks": ROWS,
  "public.claim_storage_deletions": refused(NOT_MERGED),
  "public.create_team_account": { by: "new", argument: "p_account_id" },
  "public.detect_anomalies": ROWS,
  "public.evaluate_alerts": SUM,
  "public.expire_grants": SUM,
  "public.find_outputs_to_move": SUM,
  "public.find_payment": refused(NO_SLOT),
  "public.finish_erasures": SUM,
  "public.finish_event": refused(NO_SLOT),
  "public.finish_storage_deletions": SUM,
  "public.follow_subscriptions": SUM,
  "public.function_calls_due": refused(NOT_MERGED),
  "public.get_generation_stats": refused(NOT_MERGED),
  "public.grant_due_sign_ups": SUM,
  "public.import_model_price": ROUTER,
  "public.maintain_request_events": SUM,
  "public.mute_alert_rule": ROUTER,
  "public.note_payment_event": refused(NO_SLOT),
  "public.operational_metrics": ROWS,
  "public.preview_payment": refused(NO_SLOT),
  "public.preview_subscription": refused(NO_SLOT),
  "public.payment_status": refused(NO_SLOT),
  "public.quote_generation": ROUTER,
  "public.quote_text": ROUTER,
  "public.reconcile_credit_ledger": refused(NOT_MERGED),
  "public.record_anomalies": SUM,
  "public.refill_plans": SUM,
  "public.repair_deployment": ROUTER,
  "public.request_function": refused(NOT_MERGED),
  "public.retry_events": SUM,
  "public.retry_payment": refused(NO_SLOT),
  "public.retry_payments": SUM,
  "public.run_task": refused("Tasks run on each shard."),
  "public.set_model_price": ROUTER,
  "public.set_product": ROUTER,
  "public.sweep_overdue_jobs": SUM,
  "public.transfer_credits": {
    by: "pair",
    from: "p_from_account_id",
    to: "p_to_account_id",
  },
  "public.transfer_credits_batch": refused(NO_SLOT),
  "public.verify_deployment": ROWS,
  "public.verify_operator_actions": refused(NO_SLOT),
};

/** Tables that the router holds itself, and whose rows are equal on all shards: prices, plans and rules. */
export const TERMS: readonly string[] = [
  "credit_alert_rules",
  "credit_anomaly_rules",
  "credit_plans",
  "credit_products",
  "credit_scheduled_tasks",
  "credit_settings",
  "generation_model_costs",
  "generation_model_rates",
  "generation_models",
  "reconciliation_classes",
].map((name) => `public.${name}`);
