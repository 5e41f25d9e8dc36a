import { stringify } from "@std/csv/stringify";
import { accepts } from "@std/http/negotiation";
import { DatabaseError } from "../_shared/database.ts";
import { parseQuery } from "../_shared/page.ts";
import { invalidRequest } from "../_shared/problem.ts";
import { json } from "../_shared/route.ts";
import type { UserContext } from "../_shared/user_handler.ts";
import type { StatementLine } from "../_shared/user_rows.ts";
import { visibleAccountId } from "../_shared/visible_account.ts";
import { type Statement, statementQuery } from "./contract.ts";

const JSON_TYPE = "application/json";
const CSV_TYPE = "text/csv; charset=utf-8";
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

/** `GET credits/statement`: the statement of a period, as JSON or, where the client prefers it, as CSV. */
export async function showStatement(context: UserContext): Promise<Response> {
  const { account_id, from, to } = parseQuery(statementQuery, context.url);
  const accountId = await visibleAccountId(context, account_id);
  const lines = await context.rows.statement({ accountId, from, to })
    .catch(explainLength);
  const preferred = accepts(context.request, JSON_TYPE, CSV_TYPE);
  return preferred === CSV_TYPE ? csv(lines) : json<Statement>({ lines });
}

function explainLength(error: unknown): never {
  if (!(error instanceof DatabaseError && error.sqlState === "PT413")) {
    throw error;
  }
  throw invalidRequest(
    "The statement has more than 20,000 lines. Ask for a shorter period.",
    [{ field: "to", message: "must be nearer to from" }],
  );
}

function csv(lines: StatementLine[]): Response {
  const text = stringify(lines.map(withoutFormulas), { columns: COLUMNS });
  return new Response(text, {
    headers: {
      "content-type": CSV_TYPE,
      "content-disposition": 'attachment; filename="statement.csv"',
    },
  });
}

// Full-width signs too: a spreadsheet of an East Asian locale reads them as the signs themselves. And
// white space: some leave out what stands before a formula.
const FORMULA = /^[\s\u0085=+\-@＝＋－＠]/u;

/** A spreadsheet would run a reason that begins like a formula. */
function withoutFormulas(line: StatementLine): StatementLine {
  return FORMULA.test(line.reason ?? "")
    ? { ...line, reason: `'${line.reason}` }
    : line;
}
