import { readFileSync } from "node:fs";
import postgres, { type TransactionSql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dashboardFiles } from "../monitoring/grafana/index.ts";
import { LOOPBACK_MODEL } from "./support/models.ts";
import { PROMPTS } from "./support/openai_server.ts";
import { queriesOf } from "./support/grafana.ts";
import { generate } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";

const files = dashboardFiles();
const queries = [...files.values()].flatMap(queriesOf);

test.each([...files])("%s is what its source says", (file, text) => {
  const committed = new URL(
    `../monitoring/grafana/dashboards/${file}`,
    import.meta.url,
  );
  expect(readFileSync(committed, "utf8"), "run: npm run dashboards").toBe(text);
});

describe("as credits_auditor", () => {
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  afterAll(() => sql.end());

  beforeAll(async () => {
    const user = await createUser({ credits: 1_500 });
    await generate(user);
    await generate(user, {
      ...LOOPBACK_MODEL,
      prompt: PROMPTS.serverError,
    });
  });

  test.each(queries)(
    "$panel has rows",
    async ({ format, sql: text }) => {
      const { columns, rows } = await asAuditor(sql, text);
      if (format === "time_series") {
        expect(columns).toEqual(["time", "metric", "value"]);
      }
      expect(columns).not.toContain("?column?");
      expect(rows).toBeGreaterThan(0);
    },
  );

  test("writes nothing", async () => {
    const write = asAuditor(sql, "delete from alerts");
    await expect(write).rejects.toThrow("permission denied");
  });
});

/** Runs a query with the auditor's rights over damaged books, and takes everything back. */
async function asAuditor(sql: postgres.Sql, query: string) {
  let result = { columns: [] as string[], rows: 0 };
  const takeBack = new Error("taken back");
  await sql.begin(async (tx) => {
    await seed(tx);
    await tx`grant credits_auditor to postgres`;
    await tx`set local role credits_auditor`;
    const rows = await tx.unsafe(query);
    result = {
      columns: rows.columns.map(({ name }) => name),
      rows: rows.length,
    };
    throw takeBack;
  }).catch((error) => {
    if (error !== takeBack) throw error;
  });
  return result;
}

/** What a sound and quiet stack does not have: a finding, an alert, a refusal, an open job, a charge without a request, a task that failed. */
async function seed(tx: TransactionSql): Promise<void> {
  const account = "00000000-0000-4000-8000-0000000000a1";
  await tx`select public.grant_credits(${account}, 500)`;
  await tx`select public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a cat"}')`;
  await tx`update public.credit_accounts set debt = 1 where id = ${account}`;
  await tx`
    insert into public.request_events (account_id, status, code)
    values (${account}, 429, 'rate_limited')`;
  await tx`
    with run as (
      insert into public.reconciliation_runs
        (deep, started_at, finished_at, accounts_checked, entries_checked, discrepancies)
      values (true, now(), now(), 1, 1, 1) returning id)
    insert into public.reconciliation_findings (run_id, invariant, account_id, expected, actual, since)
    select id, 'balance', ${account}, 0, 1, now() from run`;
  await tx`
    insert into public.alerts (rule, severity, subject, value, threshold, detail, fired_at, updated_at)
    select name, severity, 'a test', 1, threshold, 'of the dashboards', now(), now()
    from public.alert_rules limit 1`;
  await tx`
    insert into public.task_runs (task, started_at, finished_at, ok, detail)
    select name, now(), now(), false, 'of the dashboards' from public.scheduled_tasks limit 1`;
}
