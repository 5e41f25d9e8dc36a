import { z } from "zod";
import { parseFields, readBody } from "../_shared/body.ts";
import { quoteRequest } from "../_shared/generation_request.ts";
import {
  accountQuery,
  pageQuery,
  readCursor,
  toPage,
} from "../_shared/page.ts";
import { Problem, problemOf } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import { showStatement } from "./statement.ts";
import {
  asUser,
  type UserContext,
  type UserDependencies,
} from "../_shared/user_handler.ts";

/** The routes of `credits`: balance, ledger entries, quote. */
export function creditRoutes(dependencies: UserDependencies): Route[] {
  const balance = asUser(dependencies, showBalance);
  const entries = asUser(dependencies, listEntries);
  const statement = asUser(dependencies, showStatement);
  const quote = asUser(dependencies, quoteGeneration);
  return [
    { method: "GET", path: "", handler: balance },
    { method: "GET", path: "/entries", handler: entries },
    { method: "GET", path: "/statement", handler: statement },
    { method: "POST", path: "/quote", handler: quote },
  ];
}

const balanceQuery = z.strictObject(accountQuery);

async function showBalance(
  { url, user, rows }: UserContext,
): Promise<Response> {
  const query = Object.fromEntries(url.searchParams);
  const { account_id: wanted = user.id } = parseFields(balanceQuery, query);
  const account = await rows.account(wanted);
  if (!account && wanted !== user.id) {
    throw new Problem("not_found", "You have no account with this id.");
  }
  // An account begins with its first use; until then there is nothing in it.
  const { id, balance, credit_limit, plan } = account ??
    { id: user.id, balance: 0, credit_limit: 0, plan: "default" };
  const expiring_grants = account ? await rows.expiringGrants(id) : [];
  return json({ account_id: id, balance, credit_limit, plan, expiring_grants });
}

const entriesQuery = pageQuery.extend(accountQuery);
const position = z.strictObject({ seq: z.int().positive() });

async function listEntries(
  { url, user, rows }: UserContext,
): Promise<Response> {
  const query = Object.fromEntries(url.searchParams);
  const { account_id: accountId = user.id, limit, cursor } = parseFields(
    entriesQuery,
    query,
  );
  const after = readCursor(cursor, position);
  const found = await rows.entries(accountId, limit + 1, after?.seq);
  return json(toPage(found, limit, ({ seq }) => ({ seq })));
}

async function quoteGeneration(
  { request, rows }: UserContext,
): Promise<Response> {
  const { model, ...input } = await readBody(request, quoteRequest);
  const quote = await rows.quote(model, input);
  if (quote.status !== 200) throw problemOf(quote);
  return json({ model: quote.model, cost: quote.cost });
}
