import { DECISIONS } from "./decisions.ts";

/** Counts and whole credits, as the SQL function adopted.report_totals gives them. */
export interface Totals {
  readonly old_rows: number;
  readonly moved: number;
  readonly adjustments: number;
  readonly old_credits: number;
  readonly moved_credits: number;
  readonly adjusted_credits: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly accounts: number;
  readonly balance_total: number;
  readonly stated_accounts: number;
  readonly stated_total: number;
  /** Rows by class. */
  readonly set_aside: Readonly<Record<string, number>>;
}

/** A class of findings: how many, what was decided, and the first few. */
export interface Finding {
  readonly class: string;
  readonly rows: number;
  readonly accounts: number;
  readonly credits: number;
  readonly decision: string | null;
  readonly sample: readonly {
    readonly old_id: string | null;
    readonly account_id: string | null;
    readonly credits: number | null;
    readonly reason: string | null;
    readonly created_at: string | null;
  }[];
}

/** What an adoption finds and will do, as the SQL function adopted.report gives it. */
export interface Report {
  readonly source: Readonly<Record<string, string | null>>;
  readonly totals: Totals;
  readonly findings: readonly Finding[];
  readonly undecided: readonly string[];
  readonly collisions: readonly string[];
  readonly mentions: readonly string[];
}

/** What the SQL function adopted.prove found: all is well when nothing is astray. */
export interface Proof extends Totals {
  readonly rows_astray: number;
  readonly users_astray: number;
  readonly discrepancies: number;
  readonly entries_checked: number;
  readonly accounts_checked: number;
  readonly old_table: string;
  readonly view: string;
}

/** A number as a person reads it. */
export function readable(value: number): string {
  return value.toLocaleString("en-US");
}

/** Whether nothing stands in the way of the adoption. */
export function isReady({ undecided, collisions }: Report): boolean {
  return undecided.length === 0 && collisions.length === 0;
}

/** Whether every old row and credit is where it should be. */
export function isProven(proof: Proof): boolean {
  return proof.rows_astray + proof.users_astray + proof.discrepancies === 0;
}

/** The report as a person reads it. */
export function reportText(report: Report): string {
  const { source, totals } = report;
  const balances = source.balances
    ? `${source.balances}.${source.balances_credits}: ${
      readable(totals.stated_accounts)
    } balances compared, ${readable(totals.stated_total)} credits`
    : "no table of balances";
  return [
    `${source.ledger}: ${readable(totals.old_rows)} rows, ${
      readable(totals.old_credits)
    } credits, ${totals.first ?? "-"} to ${totals.last ?? "-"}`,
    balances,
    "",
    ...Object.keys(DECISIONS).flatMap((name) =>
      report.findings.filter((finding) => finding.class === name)
        .flatMap(findingLines)
    ),
    ...list("In the way, rename or drop it first:", report.collisions),
    ...list("Uses the old ledger, point it to the new one:", report.mentions),
    "With these decisions:",
    ...totalLines(totals),
  ].join("\n");
}

function findingLines(finding: Finding): string[] {
  const decision = DECISIONS[finding.class]!;
  const count = finding.rows > 0
    ? `${readable(finding.rows)} rows of ${readable(finding.accounts)} users`
    : `${readable(finding.accounts)} users`;
  const choices = Object.entries(decision.choices).map(([choice, effect]) =>
    `    --${finding.class} ${choice}: ${effect}`
  );
  return [
    `${
      finding.decision ? "decided" : "DECIDE "
    }  ${decision.finding}: ${count}`,
    ...(finding.decision
      ? choices.filter((line) => line.includes(` ${finding.decision}: `))
      : choices),
    ...finding.sample.map((row) =>
      `      ${row.old_id ? `row ${row.old_id}` : "user"}  ${
        row.account_id ?? "-"
      }  ${row.credits ?? "NULL"}  ${row.created_at ?? "-"}  ${
        row.reason ?? "-"
      }`
    ),
    "",
  ];
}

function list(title: string, items: readonly string[]): string[] {
  return items.length > 0
    ? [title, ...items.map((item) => `  ${item}`), ""]
    : [];
}

function totalLines(totals: Totals): string[] {
  const aside = Object.entries(totals.set_aside)
    .map(([name, rows]) => `${readable(rows)} ${name}`).join(", ");
  return [
    `  ${readable(totals.moved)} rows become entries, ${
      readable(totals.old_rows - totals.moved)
    } are set aside${aside ? ` (${aside})` : ""}`,
    `  ${readable(totals.adjustments)} adjustments of together ${
      readable(totals.adjusted_credits)
    } credits`,
    `  ${readable(totals.accounts)} accounts hold ${
      readable(totals.balance_total)
    } credits`,
  ];
}

/** The proof as a person reads it. */
export function proofText(proof: Proof): string {
  return [
    `${isProven(proof) ? "ok    " : "NOT OK"}  ${
      readable(proof.old_rows)
    } old rows:`,
    ...totalLines(proof),
    `  rows that are not where they should be: ${readable(proof.rows_astray)}`,
    `  users whose old and new sums differ: ${readable(proof.users_astray)}`,
    `  deep reconciliation: ${readable(proof.entries_checked)} entries of ${
      readable(proof.accounts_checked)
    } accounts, ${readable(proof.discrepancies)} discrepancies`,
    `The old table is ${proof.old_table}, read-only; ${proof.view} reads it.`,
  ].join("\n");
}
