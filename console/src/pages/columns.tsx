import type { Row } from "../data/pages.ts";
import type { Column } from "../parts/board.tsx";
import { AccountLink, JobLink, RequestLink } from "../parts/links.tsx";
import { Mail } from "../parts/people.tsx";

const number = (source: string, label: string): Column => ({
  source,
  label,
  kind: "number",
});
const time = (source: string, label: string): Column => ({
  source,
  label,
  kind: "time",
});
const word = (source: string, label: string): Column => ({
  source,
  label,
  kind: "word",
});
const text = (source: string, label: string): Column => ({ source, label });

/** An amount of money in its currency; the view has the smallest unit. */
function money(source: string, label: string): Column {
  const show = (row: Row) => {
    if (row[source] === null || row[source] === undefined) return "";
    const currency = String(row.currency ?? "").toUpperCase();
    try {
      const form = new Intl.NumberFormat("en", { style: "currency", currency });
      const digits = form.resolvedOptions().maximumFractionDigits ?? 2;
      return form.format(Number(row[source]) / 10 ** digits);
    } catch {
      return `${row[source]} ${currency}`;
    }
  };
  return { source, label, kind: "number", show };
}

export const ACCOUNT: Column = {
  source: "account_id",
  label: "Account",
  show: (row) => <AccountLink id={row.account_id} />,
};

/** A user, by their mail. */
export function person(source: string, label: string): Column {
  return { source, label, show: (row) => <Mail of={row[source]} /> };
}

export const GRANTS: readonly Column[] = [
  number("grant_id", "Grant"),
  word("kind", "Kind"),
  word("state", "State"),
  number("amount", "Amount"),
  number("remaining", "Left"),
  time("expires_at", "Expires"),
  number("reversed", "Reversed"),
  text("reason", "Reason"),
  text("external_ref", "From"),
  time("created_at", "Given"),
];

export const MEMBERS: readonly Column[] = [
  person("user_id", "Member"),
  text("role", "Role"),
  number("monthly_cap", "Most a month"),
  number("spent", "Spent this month (UTC)"),
  time("created_at", "Since"),
];

export const JOBS: readonly Column[] = [
  time("created_at", "Asked"),
  {
    source: "job_id",
    label: "Job",
    show: (row) => <JobLink id={row.job_id} />,
  },
  word("status", "Status"),
  text("model", "Model"),
  number("cost", "Cost"),
  number("refunded", "Refunded"),
  {
    source: "error_code",
    label: "Error",
    show: (row) =>
      [row.error_code, row.error_message].filter(Boolean).join(": "),
  },
  {
    source: "request_id",
    label: "Request",
    show: (row) => <RequestLink id={row.request_id} />,
  },
];

export const PAYMENTS: readonly Column[] = [
  time("at", "At"),
  text("payment_key", "Payment"),
  text("product", "Product"),
  word("status", "Status"),
  word("state", "Booked?"),
  money("amount", "Amount"),
  money("refunded", "Refunded"),
  money("disputed", "Disputed"),
  number("credits", "Credits"),
  number("reversed_credits", "Taken back"),
  text("cause", "Why it waits"),
  text("remedy", "Remedy"),
];
