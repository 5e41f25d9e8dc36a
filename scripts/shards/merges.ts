/**
 * How a function is sent that neither p_account_id nor p_job_id decides on.
 *
 * - slot: an expression over its arguments says whose shard runs it.
 * - sum: all shards run it; the result is the sum of theirs. Raises at the end where one did not answer.
 * - rows: all shards run it; the result is the rows of those that answer, and what is said of one that does not.
 * - page: the shard of the account that is named, else all: the first rows by an order. Raises where one does not answer.
 * - search: all shards run it; raises where none finds anything and one does not answer.
 * - claim: as rows, up to a limit over all.
 * - first: shards are asked one after the other until one knows the answer.
 * - router: the router's own tables decide; it runs there as it is.
 * - own: a file of the folder own has it; each: and credits_router.each_… what each shard answers.
 * - new: the argument of that name is made on the router when it is null, and decides.
 */
export type Merge =
  | { readonly by: "sum" | "router" }
  | { readonly by: "own"; readonly each?: boolean }
  | { readonly by: "slot"; readonly slot: string }
  | {
    readonly by: "rows";
    /** What is selected of r, a shard's row, where its name belongs into it. */
    readonly columns?: string;
    /** The row that tells of a shard that does not answer. */
    readonly unreachable?: string;
    /** What the router itself adds. */
    readonly also?: string;
  }
  | { readonly by: "page"; readonly order: string }
  | { readonly by: "search"; readonly also?: string }
  | { readonly by: "claim"; readonly limit: string }
  | { readonly by: "first"; readonly found: string }
  | { readonly by: "new"; readonly argument: string };

const SUM: Merge = { by: "sum" };
const ROWS: Merge = { by: "rows" };
const ROUTER: Merge = { by: "router" };
const OWN: Merge = { by: "own" };
const OWN_AND_EACH: Merge = { by: "own", each: true };
const CLAIM: Merge = { by: "claim", limit: "p_limit" };
const slot = (expression: string): Merge => ({ by: "slot", slot: expression });

/** The shard that has the row with this key, else the one of group 0, which says that there is none. */
const has = (table: string, column: string, value: string): Merge =>
  slot(
    `credits_router.slot_of_row('${table}', '${column}', (${value})::text)`,
  );
/** The one list that is kept by hand: of functions without p_account_id and p_job_id, or that need more. */
export const MERGES: Readonly<Record<string, Merge>> = {
  "credits.my_account_ids": OWN,
  "credits.my_paying_account_ids": OWN,
  "public.acknowledge_alert": has("credit_alerts", "id", "p_alert_id"),
  "public.announce_expiring_grants": SUM,
  "public.apply_retention": SUM,
  "public.apply_schedule": SUM,
  "public.archive_ledger": OWN_AND_EACH,
  "public.book_payment": slot("credits_router.booking_slot(p_payment)"),
  "public.book_subscription": slot(
    "credits_router.payment_slot(p_subscription)",
  ),
  "public.claim_events": CLAIM,
  "public.claim_external_ref": slot(
    "credits_router.account_slot(credits.ref_home(p_external_ref))",
  ),
  "public.claim_outputs_to_move": CLAIM,
  "public.claim_provider_asks": CLAIM,
  "public.claim_storage_deletions": CLAIM,
  "public.create_team_account": { by: "new", argument: "p_account_id" },
  "public.detect_anomalies": ROWS,
  "public.evaluate_alerts": SUM,
  "public.expire_grants": SUM,
  "public.find_outputs_to_move": SUM,
  "public.find_payment": { by: "first", found: "answer is not null" },
  "public.finish_erasures": SUM,
  "public.finish_event": has("credit_events", "id", "p_event_id"),
  "public.finish_storage_deletions": SUM,
  "public.follow_subscriptions": SUM,
  "public.function_calls_due": ROWS,
  "public.get_generation_stats": OWN_AND_EACH,
  "public.grant_due_sign_ups": ROUTER,
  "public.import_model_price": ROUTER,
  "public.maintain_request_events": SUM,
  "public.mute_alert_rule": ROUTER,
  "public.note_payment_event": slot(
    "credits_router.text_slot(p_event ->> 'id')",
  ),
  "public.operational_metrics": {
    by: "rows",
    columns:
      "r.metric, r.labels || jsonb_build_object('shard', shard), r.value",
    unreachable:
      "'atomic_credits_shard_unreachable'::text, jsonb_build_object('shard', shard), 1::numeric",
    also:
      "select 'atomic_credits_' || m.metric, m.labels || '{\"shard\": \"router\"}', m.value from credits_router.metrics() as m",
  },
  "public.operator_abilities": slot("0"),
  "public.operator_accounts_page": { by: "page", order: "r.account_id" },
  "public.operator_acknowledge_alert": has(
    "credit_alerts",
    "id",
    "p_alert_id",
  ),
  "public.operator_approve": has("operator_approvals", "id", "p_approval_id"),
  "public.operator_book_payment": has("payments", "key", "p_payment_id"),
  "public.operator_fix_discrepancy": slot(
    "credits_router.discrepancy_slot(p_class, p_subject)",
  ),
  "public.operator_jobs_page": {
    by: "page",
    order: "r.created_at desc, r.job_id desc",
  },
  "public.operator_mute_alert": OWN,
  "public.operator_payments_page": {
    by: "page",
    order: "r.at desc, r.payment_key desc",
  },
  "public.operator_people": ROUTER,
  "public.operator_reconcile": OWN,
  "public.operator_reject": has("operator_approvals", "id", "p_approval_id"),
  "public.operator_remove": OWN,
  "public.operator_request_trail": { by: "search" },
  "public.operator_retry_event": has("credit_events", "id", "p_event_id"),
  "public.operator_search": {
    by: "search",
    also: "select f.* from credits_router.find_by_mail(p_text, p_limit) as f",
  },
  "public.operator_set": OWN,
  "public.operator_timeline": OWN,
  "public.erase_account": OWN,
  "public.person_joins": slot(
    "credits_router.account_slot(p_person_id)",
  ),
  "public.person_leaves": OWN,
  "public.preview_payment": slot("credits_router.payment_slot(p_payment)"),
  "public.preview_subscription": slot(
    "credits_router.payment_slot(p_subscription)",
  ),
  "public.payment_status": {
    by: "first",
    found: "answer.status is distinct from 404",
  },
  "public.quote_generation": ROUTER,
  "public.quote_text": ROUTER,
  "public.reconcile_credit_ledger": OWN_AND_EACH,
  "public.record_anomalies": SUM,
  "public.refill_plans": SUM,
  "public.request_function": ROUTER,
  "public.retry_events": SUM,
  "public.retry_payment": has("payments", "key", "p_key"),
  "public.retry_payments": SUM,
  "public.run_task": OWN_AND_EACH,
  "public.set_model_price": ROUTER,
  "public.set_product": ROUTER,
  "public.sweep_overdue_jobs": SUM,
  "public.text_terms": slot(
    "credits_router.key_slot(p_key_hash, p_account_id)",
  ),
  "public.transfer_credits": OWN,
  "public.transfer_credits_batch": OWN,
  "public.transfer_send_batch": OWN,
  "public.transfers_in_flight": CLAIM,
  "public.verify_deployment": {
    by: "rows",
    columns: "format('%s (%s)', r.check_name, shard), r.ok, r.detail, r.remedy",
    unreachable:
      "format('the shard answers (%s)', shard), false, null::text, 'Start its server, or see what npm run shards -- check says.'::text",
    also:
      "select c.* from credits.check_shard() as c union all select w.* from credits_router.check_waiting() as w",
  },
  "public.verify_operator_actions": OWN_AND_EACH,
};

/** Functions that make somebody a member, and the argument that names them. */
export const MEMBERS: Readonly<Record<string, string>> = {
  "public.create_team_account": "p_owner_id",
  "public.set_account_member": "p_user_id",
};

/** Functions that use what may be one account's alone: its kind, and the name by which it is listed. */
export const REFERENCES: Readonly<Record<string, readonly [string, string]>> = {
  "public.grant_credits": ["grant", "p_external_ref"],
  "public.link_payment_customer": [
    "customer",
    "credits.customer_ref(p_provider, p_livemode, p_customer_id)",
  ],
  "public.transfer_send": ["transfer", "p_external_ref"],
  "public.withdraw_credits": ["withdrawal", "p_external_ref"],
};

/** Tables that the router holds itself, because users sign up there; rows begin as those of the first shard. */
export const SIGN_UP: readonly string[] = [
  "credits.secrets",
  "credits.sign_up_addresses",
  "credits.sign_ups_due",
  "public.credit_sign_up_grants",
];

/** Tables of the router's own, empty at first. */
export const LOCAL: readonly string[] = ["credits.handovers", "credits.shard"];

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
