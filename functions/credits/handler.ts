import { z } from "zod";
import { parseFields, readBody } from "../_shared/body.ts";
import { quoteRequest } from "../_shared/generation_request.ts";
import { pageQuery, readCursor, toPage } from "../_shared/page.ts";
import { Problem, type ProblemCode, PROBLEMS } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import {
  asUser,
  type UserContext,
  type UserDependencies,
} from "../_shared/user_handler.ts";
import type { GenerationQuote } from "../_shared/verdicts.ts";

/** The routes of `credits`: balance, ledger entries, quote. */
export function creditRoutes(dependencies: UserDependencies): Route[] {
  const balance = asUser(dependencies, showBalance);
  const entries = asUser(dependencies, listEntries);
  const quote = asUser(dependencies, quoteGeneration);
  return [
    { method: "GET", path: "", handler: balance },
    { method: "GET", path: "/entries", handler: entries },
    { method: "POST", path: "/quote", handler: quote },
  ];
}

async function showBalance({ user, rows }: UserContext): Promise<Response> {
  const account = await rows.account();
  // An account begins with its first use; until then there is nothing in it.
  const { id, balance, credit_limit, plan } = account ??
    { id: user.id, balance: 0, credit_limit: 0, plan: "default" };
  const expiring_grants = account ? await rows.expiringGrants(id) : [];
  return json({ account_id: id, balance, credit_limit, plan, expiring_grants });
}

const position = z.strictObject({ seq: z.int().positive() });

async function listEntries(
  { url, user, rows }: UserContext,
): Promise<Response> {
  const query = Object.fromEntries(url.searchParams);
  const { limit, cursor } = parseFields(pageQuery, query);
  const after = readCursor(cursor, position);
  const found = await rows.entries(user.id, limit + 1, after?.seq);
  return json(toPage(found, limit, ({ seq }) => ({ seq })));
}

async function quoteGeneration(
  { request, rows }: UserContext,
): Promise<Response> {
  const { model, ...input } = await readBody(request, quoteRequest);
  const quote = await rows.quote(model, input);
  if (quote.status !== 200) throw quoteProblem(quote);
  return json({ model: quote.model, cost: quote.cost });
}

function quoteProblem({ code, message, errors }: GenerationQuote): Problem {
  if (!(code in PROBLEMS)) {
    throw new Error(`the quote answered with unknown code ${code}`);
  }
  return new Problem(code as ProblemCode, message ?? "", {
    members: { ...(errors && { errors }) },
  });
}
