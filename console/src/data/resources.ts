import type { Order } from "./pages.ts";

/** A list that a view has: in which order, and which rows. */
export interface ViewList {
  readonly view: string;
  readonly order: Order;
  /** Conditions in PostgREST's form that always hold. */
  readonly only?: readonly (readonly [
    column: string,
    operator: string,
    value: unknown,
  ])[];
}

/** A list that a function hands out page by page, as a view of many rows would be slow. */
export interface PageList {
  readonly call: string;
  readonly order: Order;
  /** The column of each argument, in the last row. */
  readonly after: Readonly<Record<string, string>>;
  /** The filter of each argument. */
  readonly filters: Readonly<Record<string, string>>;
  readonly args?: Readonly<Record<string, unknown>>;
}

const newest = (...columns: string[]): Order =>
  columns.map((column) => [column, false] as const);
const inOrder = (...columns: string[]): Order =>
  columns.map((column) => [column, true] as const);

const JOBS: PageList = {
  call: "operator_jobs_page",
  order: newest("created_at", "job_id"),
  after: { p_before_at: "created_at", p_before_id: "job_id" },
  filters: { p_account_id: "account_id" },
};

const PAYMENTS: PageList = {
  call: "operator_payments_page",
  order: newest("at", "payment_key"),
  after: { p_before_at: "at", p_before_key: "payment_key" },
  filters: { p_account_id: "account_id" },
};

/** What react-admin calls a resource: each list of the console. */
export const RESOURCES: Readonly<Record<string, ViewList | PageList>> = {
  me: { view: "operator_me", order: inOrder("user_id") },
  accounts: { view: "operator_accounts", order: inOrder("account_id") },
  grants: { view: "operator_account_grants", order: newest("grant_id") },
  members: {
    view: "operator_account_members",
    order: inOrder("account_id", "user_id"),
  },
  job: { view: "operator_jobs", order: inOrder("job_id") },
  jobs: JOBS,
  open_jobs: { ...JOBS, args: { p_status: "open" } },
  payments: PAYMENTS,
  paid: PAYMENTS,
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
