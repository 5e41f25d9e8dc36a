import { z } from "zod";
import { parseFields, readJsonBody } from "../_shared/body.ts";
import { quoteRequest } from "../_shared/generation_request.ts";
import { parseQuery, readCursor, toPage } from "../_shared/page.ts";
import { problemOf } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import { MAX_CHAT_BYTES } from "../openai/body.ts";
import {
  type Balance,
  balanceContract,
  balanceQuery,
  entriesContract,
  entriesQuery,
  type EntryPage,
  type Quote,
  quoteContract,
  statementContract,
} from "./contract.ts";
import { isConversation, quoteText } from "./quote_text.ts";
import { showStatement } from "./statement.ts";
import {
  asUser,
  type UserContext,
  type UserDependencies,
} from "../_shared/user_handler.ts";
import {
  visibleAccount,
  visibleAccountId,
} from "../_shared/visible_account.ts";

/** The routes of `credits`: balance, ledger entries, quote. */
export function creditRoutes(dependencies: UserDependencies): Route[] {
  const balance = asUser(dependencies, showBalance);
  const entries = asUser(dependencies, listEntries);
  const statement = asUser(dependencies, showStatement);
  const quote = asUser(dependencies, quoteGeneration);
  return [
    { method: "GET", path: "", contract: balanceContract, handler: balance },
    {
      method: "GET",
      path: "/entries",
      contract: entriesContract,
      handler: entries,
    },
    {
      method: "GET",
      path: "/statement",
      contract: statementContract,
      handler: statement,
    },
    { method: "POST", path: "/quote", contract: quoteContract, handler: quote },
  ];
}

/**
 * The balance with what is due as if it were booked: the month's credits are there from its first
 * moment, and what has expired is not. A charge books both before it denies anything.
 */
async function showBalance(context: UserContext): Promise<Response> {
  const { account_id: wanted } = parseQuery(balanceQuery, context.url);
  const { id, ...account } = await visibleAccount(context, wanted);
  const expiring = await context.rows.expiringGrants(id);
  return json<Balance>({ account_id: id, ...account, ...expiring });
}

const position = z.strictObject({ seq: z.int().positive() });

async function listEntries(context: UserContext): Promise<Response> {
  const { account_id, limit, cursor } = parseQuery(entriesQuery, context.url);
  const after = readCursor(cursor, position);
  const accountId = await visibleAccountId(context, account_id);
  const found = await context.rows.entries(accountId, limit + 1, after?.seq);
  return json<EntryPage>(toPage(found, limit, ({ seq }) => ({ seq })));
}

/** The price alone: plan, balance and limits are judged where it is charged. */
async function quoteGeneration(
  { request, rows }: UserContext,
): Promise<Response> {
  const { value } = await readJsonBody(request, MAX_CHAT_BYTES);
  if (isConversation(value)) return await quoteText(value, rows);
  const { model, account_id: _, ...input } = parseFields(quoteRequest, value);
  const quote = await rows.quote(model, input);
  if (quote.status !== 200) {
    const required = quote.cost ?? undefined;
    throw problemOf(quote, { members: { required } });
  }
  return json<Quote>({ model: quote.model!, cost: quote.cost! });
}
