import type { Order } from "./pages.ts";

/** A list: the view that it reads, in which order, and which rows. */
export interface Resource {
  readonly view: string;
  readonly order: Order;
  /** Conditions in PostgREST's form that always hold. */
  readonly only?: readonly (readonly [
    column: string,
    operator: string,
    value: unknown,
  ])[];
}

const newest = (...columns: string[]): Order =>
  columns.map((column) => [column, false] as const);
const inOrder = (...columns: string[]): Order =>
  columns.map((column) => [column, true] as const);

export const RESOURCES: Readonly<Record<string, Resource>> = {
  me: { view: "operator_me", order: inOrder("user_id") },
  accounts: { view: "operator_accounts", order: inOrder("account_id") },
  grants: { view: "operator_account_grants", order: newest("grant_id") },
  members: {
    view: "operator_account_members",
    order: inOrder("account_id", "user_id"),
  },
  jobs: { view: "operator_jobs", order: newest("created_at", "job_id") },
  open_jobs: {
    view: "operator_jobs",
    order: newest("created_at", "job_id"),
    only: [["status", "in", "(pending,running)"]],
  },
  payments: {
    view: "operator_payments",
    order: newest("created_at", "payment_key"),
  },
  paid: {
    view: "operator_payments",
    order: newest("paid_at", "payment_key"),
    only: [["paid_at", "not.is", null]],
  },
  waiting_payments: {
    view: "operator_payments",
    order: newest("created_at", "payment_key"),
    only: [["state", "eq", "waiting"]],
  },
  events: { view: "operator_events", order: newest("created_at", "event_id") },
  open_alerts: {
    view: "operator_alerts",
    order: newest("fired_at", "alert_id"),
    only: [["is_open", "is", true]],
  },
  alerts: { view: "operator_alerts", order: newest("fired_at", "alert_id") },
  discrepancies: {
    view: "operator_discrepancies",
    order: inOrder("finding_id"),
  },
  reconciliations: {
    view: "operator_reconciliations",
    order: newest("run_id"),
  },
  models: {
    view: "operator_models",
    order: inOrder("model", "effective_from"),
  },
  providers: {
    view: "operator_providers",
    order: inOrder("provider", "model"),
  },
  log: {
    view: "operator_log",
    order: newest("created_at", "operator_id", "seq"),
  },
  waiting: {
    view: "operator_waiting",
    order: newest("created_at", "approval_id"),
    only: [["state", "eq", "waiting"]],
  },
  decided: {
    view: "operator_waiting",
    order: newest("created_at", "approval_id"),
    only: [["state", "neq", "waiting"]],
  },
  team: { view: "operator_team", order: inOrder("user_id") },
};
