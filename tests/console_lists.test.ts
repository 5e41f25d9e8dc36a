import { createClient } from "@supabase/supabase-js";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createOperator } from "./support/console.ts";
import { callSql, REASON } from "./support/console_pages.ts";
import { generate } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";

type Row = Record<string, unknown>;

/** Reads a list to its end, two rows a page. */
async function readAll(
  token: string,
  resource: string,
  filter: Row = {},
): Promise<Row[]> {
  const client = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(token),
  });
  // Its packages are the console's own, which nobody needs to read a list.
  const file = join(process.cwd(), "console/src/data/provider.ts");
  const { getList } = (await import(file)).dataProvider(client);
  const rows: Row[] = [];
  for (let page = 1;; page++) {
    const pagination = { page, perPage: 2 };
    const { data, pageInfo } = await getList(resource, { pagination, filter });
    rows.push(...data);
    if (!pageInfo.hasNextPage) return rows;
  }
}

describe("a list of the console, read page by page", () => {
  test("has every action of an operator once, the newest first", async () => {
    const [operator, { id }] = await Promise.all([
      createOperator("support"),
      createUser(),
    ]);
    for (let n = 1; n <= 5; n++) {
      await callSql(operator.token("aal2"), "operator_grant", {
        p_account_id: id,
        p_credits: n,
        p_expires_at: null,
        p_reason: REASON,
        p_idempotency_key: String(n),
      });
    }
    const filter = { operator_id: operator.id };
    const log = await readAll(operator.token("aal1"), "log", filter);
    expect(log.map(({ credits }) => credits)).toEqual([5, 4, 3, 2, 1]);
  });

  test("has every job of an account once, by the function that hands it out", async () => {
    const [operator, user] = await Promise.all([
      createOperator("viewer"),
      createUser(),
    ]);
    const made: string[] = [];
    for (let n = 0; n < 3; n++) {
      made.unshift((await generate(user)).body.job_id);
    }
    const filter = { account_id: user.id };
    const jobs = await readAll(operator.token("aal1"), "jobs", filter);
    expect(jobs.map(({ job_id }) => job_id)).toEqual(made);
  });

  test("goes up where its order does", async () => {
    const operators = await Promise.all(
      ["viewer", "support", "admin"].map((role) =>
        createOperator(role as "viewer")
      ),
    );
    const team = await readAll(operators[0]!.token("aal1"), "team");
    const ids = team.map(({ user_id }) => user_id);
    expect(ids).toEqual([...ids].sort());
    expect(ids).toEqual(expect.arrayContaining(operators.map(({ id }) => id)));
  });
});
