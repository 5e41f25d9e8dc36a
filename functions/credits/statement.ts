import { stringify } from "deno-std/csv/stringify.js";
import { z } from "zod";
import { parseFields } from "../_shared/body.ts";
import { moment } from "../_shared/moment.ts";
import { accountQuery } from "../_shared/page.ts";
import { invalidRequest } from "../_shared/problem.ts";
import { json } from "../_shared/route.ts";
import type { UserContext } from "../_shared/user_handler.ts";
import type { StatementLine } from "../_shared/user_rows.ts";

// The Data API's own limit of rows an answer.
const LINES_A_READ = 1000;
const MOST_LINES = 20_000;
const COLUMNS = [
  "line",
  "seq",
  "created_at",
  "kind",
  "credits",
  "balance",
  "grant_id",
  "job_id",
  "reason",
] as const;

const statementQuery = z.strictObject({
  ...accountQuery,
  from: moment,
  to: moment,
}).refine(({ from, to }) => Date.parse(from) <= Date.parse(to), {
  path: ["to"],
  error: "must not be before from",
});

/** `GET credits/statement`: the statement of a period, as JSON or, where the client accepts it, as CSV. */
export async function showStatement(context: UserContext): Promise<Response> {
  const query = Object.fromEntries(context.url.searchParams);
  const { account_id: accountId = context.user.id, from, to } = parseFields(
    statementQuery,
    query,
  );
  const lines = await readLines(context, { accountId, from, to });
  const accepted = context.request.headers.get("accept") ?? "";
  return accepted.includes("text/csv") ? csv(lines) : json({ lines });
}

async function readLines(
  { rows }: UserContext,
  period: { accountId: string; from: string; to: string },
): Promise<StatementLine[]> {
  const lines: StatementLine[] = [];
  while (lines.length <= MOST_LINES) {
    const read = await rows.statement({
      ...period,
      offset: lines.length,
      lines: LINES_A_READ,
    });
    lines.push(...read);
    if (read.length < LINES_A_READ) return lines;
  }
  throw invalidRequest(
    `The statement has more than ${MOST_LINES} lines. Ask for a shorter period.`,
    [{ field: "to", message: "must be nearer to from" }],
  );
}

function csv(lines: StatementLine[]): Response {
  const text = stringify(lines.map(withoutFormulas), { columns: COLUMNS });
  return new Response(text, {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": 'attachment; filename="statement.csv"',
    },
  });
}

/** A spreadsheet would run a reason that begins like a formula. */
function withoutFormulas(line: StatementLine): StatementLine {
  const isFormula = /^[=+\-@\t\r]/.test(line.reason ?? "");
  return isFormula ? { ...line, reason: `'${line.reason}` } : line;
}
