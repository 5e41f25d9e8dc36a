import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dashboardFiles } from "../monitoring/grafana/index.ts";
import { makeBundle } from "../scripts/deploy/bundle.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "./support/databases.ts";
import { queriesOf } from "./support/grafana.ts";

const files = dashboardFiles();
const queries = [...files.values()].flatMap(queriesOf);
const DATASOURCE =
  "monitoring/grafana/provisioning/datasources/atomic_credits.yml";
const RULES = "monitoring/prometheus/alert_rules.yml";
const PASSWORD = "only for this test";

test.each([...files])("%s is what its source says", (file, text) => {
  const committed = new URL(
    `../monitoring/grafana/dashboards/${file}`,
    import.meta.url,
  );
  expect(readFileSync(committed, "utf8"), "run: npm run regenerate").toBe(text);
});

test("every panel asks the datasource that the provisioning makes", async () => {
  const [, uid] = (await readFile(DATASOURCE, "utf8")).match(/^ +uid: (.+)$/m)!;
  const asked = [...files.values()].flatMap((text) =>
    [...text.matchAll(/"datasource": (\{[^}]+\})/g)].map(([, json]) =>
      JSON.parse(json!)
    )
  );
  expect(asked.length).toBeGreaterThanOrEqual(2 * queries.length);
  for (const datasource of asked) {
    expect(datasource).toEqual({ type: "grafana-postgresql-datasource", uid });
  }
});

describe("Grafana's own login", () => {
  let server: DatabaseServer;
  let sql: Sql;
  beforeAll(async () => {
    server = await startDatabaseServer();
    const owner = await server.create();
    await owner.sql.unsafe(await makeBundle(process.cwd()));
    await seed(owner.sql);
    await owner.sql.unsafe(await loginStatement());
    sql = postgres(withLogin(owner.url), { max: 1, onnotice: () => {} });
  });
  afterAll(async () => {
    await sql?.end();
    await server.stop();
  });

  test.each(queries)("$panel has rows", async ({ format, sql: text }) => {
    const rows = await sql.unsafe(text);
    const columns = rows.columns.map(({ name }) => name);
    if (format === "time_series") {
      expect(columns).toEqual(["time", "metric", "value"]);
    }
    expect(columns).not.toContain("?column?");
    expect(columns.length).toBeGreaterThan(0);
    expect(rows.length).toBeGreaterThan(0);
  });

  test("reads what Prometheus' rules say where to look", async () => {
    const rules = await readFile(RULES, "utf8");
    const statements = [...rules.matchAll(/\bselect\b[^;]+ from [^;]+;/g)];
    expect(statements.length).toBeGreaterThan(8);
    for (const [statement] of statements) await sql.unsafe(statement);
  });

  test("is no more than a member of credits_auditor", async () => {
    expect(
      await sql`
        select current_user = session_user as itself, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole,
          (select array_agg(roleid::regrole::text) from pg_auth_members where member = r.oid) as member_of
        from pg_roles as r where rolname = session_user`,
    ).toEqual([{
      itself: true,
      rolcanlogin: true,
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      member_of: ["credits_auditor"],
    }]);
  });

  test.each([
    "delete from credit_alerts",
    "update credit_accounts set balance = 0",
    "select public.grant_credits(gen_random_uuid(), 1)",
    "select output from generation_jobs",
  ])("may not: %s", async (statement) => {
    await expect(sql.unsafe(statement)).rejects.toThrow("permission denied");
  });
});

/** The statement that the datasource's file tells, with a password. */
async function loginStatement(): Promise<string> {
  const [, statement] = (await readFile(DATASOURCE, "utf8"))
    .match(/^#\s+(create role .*;)$/m)!;
  return statement!.replace("'…'", `'${PASSWORD}'`);
}

function withLogin(url: string): string {
  const login = new URL(url);
  login.username = "grafana";
  login.password = PASSWORD;
  return login.href;
}

/** What a sound and quiet deployment does not have: a finding, an alert, a refusal, an open job, a failed one, a charge without a request, a task that failed. */
async function seed(sql: Sql): Promise<void> {
  const account = "00000000-0000-4000-8000-0000000000a1";
  const charge = async (requestId: string | null) => {
    const [verdict] = await sql`
      select job_id from public.atomic_charge_credits(
        ${account}, 'standard-image', '{"prompt": "a cat"}', p_request_id => ${requestId})`;
    return verdict!.job_id;
  };
  await sql`select public.grant_credits(${account}, 2000)`;
  const succeeds = await charge("request_1");
  await sql`select public.set_product('stripe', true, 'pack', '{"provider_price_id": "price", "kind": "pack",
    "credits": 100, "unit_amount": 900, "currency": "usd"}')`;
  await sql`select public.link_payment_customer(${account}, 'stripe', true, 'cus')`;
  await sql`select public.book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs", "kind": "pack",
    "customer": "cus", "lines": [{"price_id": "price"}], "status": "paid", "amount": 900, "currency": "usd",
    "created_at": "2026-01-01"}')`;
  await sql`select public.start_generation(${succeeds})`;
  await sql`select public.settle_generation(${succeeds}, '{"url": "x"}')`;
  await sql`select public.fail_generation(${await charge(
    "request_2",
  )}, '{"code": "provider_failed", "message": "no"}')`;
  await charge(null);
  await sql`select public.set_model_price('calls-back', '{"image": 1}', '2026-01-01',
    '{"provider": "replicate", "provider_model": "m"}')`;
  await sql`select public.start_generation((public.atomic_charge_credits(
    ${account}, 'calls-back', '{"prompt": "a cat"}')).job_id, 'prediction')`;
  await sql`update public.credit_accounts set debt = 1 where id = ${account}`;
  await sql`
    insert into public.credit_request_events (account_id, status, code)
    values (${account}, 429, 'rate_limited')`;
  await sql`
    with run as (
      insert into public.reconciliation_runs
        (deep, started_at, finished_at, accounts_checked, entries_checked, discrepancies)
      values (true, now(), now(), 1, 1, 1) returning id)
    insert into public.reconciliation_findings (run_id, invariant, account_id, expected, actual, since)
    select id, 'balance', ${account}, 0, 1, now() from run`;
  await sql`
    insert into public.credit_alerts (rule, severity, subject, value, threshold, detail, fired_at, updated_at)
    select name, severity, 'a test', 1, threshold, 'of the dashboards', now(), now()
    from public.credit_alert_rules limit 1`;
  await sql`
    insert into public.credit_task_runs (task, started_at, finished_at, ok, detail)
    select name, now(), now(), false, 'of the dashboards' from public.credit_scheduled_tasks limit 1`;
}
