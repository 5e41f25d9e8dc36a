import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";
import { quoteRequest } from "../_shared/generation_request.ts";
import { moment } from "../_shared/moment.ts";
import { accountQuery, pageOf, pageQuery } from "../_shared/page.ts";
import { credits } from "../_shared/results.ts";
import {
  accountRow,
  entryRow,
  expiringGrants,
  statementLine,
} from "../_shared/user_rows.ts";
import { chatBody } from "../openai/contract.ts";

/** Query of `GET credits`. */
export const balanceQuery = z.strictObject(accountQuery);
/** Query of `GET credits/entries`. */
export const entriesQuery = pageQuery.extend(accountQuery);
/** Query of `GET credits/statement`. */
export const statementQuery = z.strictObject({
  ...accountQuery,
  from: moment.describe("exclusive"),
  to: moment.describe("inclusive"),
}).refine(({ from, to }) => Date.parse(from) <= Date.parse(to), {
  path: ["to"],
  error: "must not be before from",
});

const balance = z.object({
  account_id: z.guid(),
  ...accountRow.omit({ id: true }).shape,
  ...expiringGrants.shape,
}).meta({ id: "Balance" });
/** What an account has. */
export type Balance = z.infer<typeof balance>;

const entryPage = pageOf(entryRow);
/** A page of the ledger. */
export type EntryPage = z.infer<typeof entryPage>;

const statement = z.object({ lines: z.array(statementLine) });
/** A statement as JSON. */
export type Statement = z.infer<typeof statement>;

const quote = z.object({ model: z.string(), cost: credits })
  .meta({ id: "Quote" });
/** What a generation would cost. */
export type Quote = z.infer<typeof quote>;

const textQuote = z.object({
  model: z.string(),
  least: credits,
  likely: credits,
  most: credits.describe("what would be held"),
  output_tokens: z.number().int().nullable().describe("the cap of one choice"),
}).meta({ id: "TextQuote" });
/** What a chat request would cost. */
export type TextQuote = z.infer<typeof textQuote>;

/** `GET credits`. */
export const balanceContract: Contract = {
  summary: "The balance, the plan and what expires next",
  caller: "user",
  query: balanceQuery,
  answers: { 200: { means: "The balance.", body: balance } },
  problems: ["not_found"],
};

/** `GET credits/entries`. */
export const entriesContract: Contract = {
  summary: "A page of the ledger, newest first",
  caller: "user",
  query: entriesQuery,
  answers: { 200: { means: "The entries.", body: entryPage } },
  problems: ["not_found"],
};

/** `GET credits/statement`. */
export const statementContract: Contract = {
  summary: "A period's statement, as JSON or CSV",
  description:
    "CSV where `accept` prefers `text/csv`. At most 20,000 lines, all of one moment.",
  caller: "user",
  query: statementQuery,
  answers: {
    200: { means: "The statement.", body: statement, alsoAs: ["text/csv"] },
  },
  problems: ["not_found"],
};

/** `POST credits/quote`. */
export const quoteContract: Contract = {
  summary: "What a generation with this body would cost",
  description:
    "The body is that of `generate`, or with `messages` that of `openai/v1/chat/completions`. " +
    "The answer does not say whether credits, limits or the plan allow it.",
  caller: "user",
  body: z.union([quoteRequest, chatBody]),
  answers: {
    200: { means: "The price.", body: z.union([quote, textQuote]) },
  },
  problems: ["invalid_model", "unsupported_parameter", "price_changed"],
};
