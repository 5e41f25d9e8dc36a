/** How a metric is described to Prometheus. */
export interface MetricDescription {
  /** A counter never falls; a gauge may. */
  type: "counter" | "gauge";
  /** What it says, and in which unit. */
  help: string;
}

/** Every metric that `operational_metrics` gives. */
export const METRICS: Record<string, MetricDescription> = {
  atomic_credits_accounts: gauge("Accounts that were ever opened."),
  atomic_credits_outstanding_credits: gauge(
    "Credits owed to customers: the sum of all balances, in whole credits.",
  ),
  atomic_credits_overdraft_credits: gauge(
    "Credits spent beyond the grants of their accounts, in whole credits.",
  ),
  atomic_credits_debt_credits: gauge(
    "Credits of revoked grants that had been spent already, in whole credits.",
  ),
  atomic_credits_ledger_entries_total: {
    type: "counter",
    help: "Entries ever written to the ledger.",
  },
  atomic_credits_moved_credits: gauge(
    "Credits that came in or went out within the window, by kind of entry, in whole credits.",
  ),
  atomic_credits_jobs: gauge(
    "Jobs created within the window, by their status now and their model.",
  ),
  atomic_credits_open_jobs: gauge("Jobs that are pending or running."),
  atomic_credits_overdue_jobs: gauge(
    "Open jobs for five minutes beyond their deadline: charged, and neither settled nor refunded.",
  ),
  atomic_credits_oldest_open_job_age_seconds: gauge(
    "Age of the oldest open job in seconds; 0 when none is open.",
  ),
  atomic_credits_late_provider_jobs: gauge(
    "Open jobs beyond their time limit, by the provider that calls back and has them; absent where it has none.",
  ),
  atomic_credits_ended_jobs: gauge(
    "Jobs that ended within the window, by status and provider.",
  ),
  atomic_credits_success_ratio: gauge(
    "Share of the jobs ended within the window that succeeded, 0 to 1, canceled ones left out; absent when none ended.",
  ),
  atomic_credits_denials: gauge(
    "Requests denied within the window, by code of the answer.",
  ),
  atomic_credits_rate_limit_hits: gauge(
    "Requests refused with status 429 within the window.",
  ),
  atomic_credits_events_pending: gauge(
    "Events that wait for their delivery to the webhook.",
  ),
  atomic_credits_oldest_pending_event_age_seconds: gauge(
    "Age of the oldest event that waits in seconds; 0 when none does.",
  ),
  atomic_credits_events_given_up: gauge(
    "Events of the window whose delivery was given up after the last attempt.",
  ),
  atomic_credits_payments_waiting: gauge(
    "Payments that were paid and wait to be booked.",
  ),
  atomic_credits_oldest_waiting_payment_age_seconds: gauge(
    "Age of the oldest payment that waits in seconds; 0 when none does.",
  ),
  atomic_credits_open_disputes: gauge("Disputes of payments that are open."),
  atomic_credits_paid_minor_units: gauge(
    "What was paid within the window, in minor units by currency, for real (livemode true) or as a test.",
  ),
  atomic_credits_transfers_in_flight: gauge(
    "Transfers to accounts of other shards that have neither arrived nor come back.",
  ),
  atomic_credits_in_flight_credits: gauge(
    "Credits of these transfers: owed to customers, and in no balance.",
  ),
  atomic_credits_oldest_transfer_in_flight_age_seconds: gauge(
    "Age of the oldest of these transfers in seconds; 0 when there is none.",
  ),
  atomic_credits_stored_files: gauge(
    "Files of outputs and uploads in Storage, as they were last counted.",
  ),
  atomic_credits_stored_bytes: gauge(
    "Size of the files of outputs and uploads in Storage in bytes, as they were last counted.",
  ),
  atomic_credits_oldest_stored_file_age_seconds: gauge(
    "Age of the oldest file in Storage in seconds; 0 when there is none.",
  ),
  atomic_credits_unneeded_files: gauge(
    "Files in Storage that no job and no upload needed when they were last counted; they are then deleted.",
  ),
  atomic_credits_files_measured_age_seconds: gauge(
    "Seconds since the files in Storage were last counted.",
  ),
  atomic_credits_files_to_delete: gauge(
    "Files that are queued to be deleted from Storage.",
  ),
  atomic_credits_oldest_file_to_delete_age_seconds: gauge(
    "Age of the oldest queued deletion in seconds; 0 when none is queued.",
  ),
  atomic_credits_outputs_to_move: gauge(
    "Outputs in the database that are queued to be moved to Storage.",
  ),
  atomic_credits_reconciliation_discrepancies: gauge(
    "Invariants that the last finished reconciliation, incremental or deep, found broken.",
  ),
  atomic_credits_reconciliation_broken_accounts: gauge(
    "Accounts of which the last finished reconciliation, incremental or deep, kept a finding.",
  ),
  atomic_credits_reconciliation_age_seconds: gauge(
    "Seconds since the last reconciliation finished, incremental or deep.",
  ),
  atomic_credits_alerts_firing: gauge(
    "Alerts that are not resolved, by severity; those of muted rules left out.",
  ),
  atomic_credits_task_last_success_age_seconds: gauge(
    "Seconds since an enabled scheduled task last succeeded; before its first success, since it is there.",
  ),
  atomic_credits_task_max_age_seconds: gauge(
    "Seconds that may pass between two successes of an enabled scheduled task.",
  ),
  atomic_credits_handovers_waiting: gauge(
    "Calls that other shards have still to get, of users who signed up or were deleted. None where it is no shard.",
  ),
  atomic_credits_handover_age_seconds: gauge(
    "Seconds since the oldest of those calls was asked for; 0 without one.",
  ),
  atomic_credits_operator_changes_waiting: gauge(
    "Calls that shards have still to get, of operators who were made or removed. The router's alone.",
  ),
  atomic_credits_operator_change_age_seconds: gauge(
    "Seconds since the oldest of those calls was made; 0 without one. The router's alone.",
  ),
  atomic_credits_shard: gauge(
    "Always 1; the labels say which shard this database is. None where it is no shard.",
  ),
  atomic_credits_shard_unreachable: gauge(
    "Always 1: the router could not reach this shard, of which all other values are missing.",
  ),
};

function gauge(help: string): MetricDescription {
  return { type: "gauge", help };
}
