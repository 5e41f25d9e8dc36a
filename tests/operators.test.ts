import { spawn } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 1_000 });
  await generate(user);
});

/** Runs an operator's command against the stack, as npm run does. */
function operate(...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(
    process.execPath,
    ["scripts/run.mjs", "operate", ...args],
    {
      env: {
        ...process.env,
        SUPABASE_URL: stack.url,
        SUPABASE_SECRET_KEY: stack.secretKey,
      },
    },
  );
  let output = "";
  child.stdout.on("data", (chunk) => output += chunk);
  child.stderr.on("data", (chunk) => output += chunk);
  return new Promise((resolve) =>
    child.once("close", (code) => resolve({ code: code ?? -1, output }))
  );
}

/** Lets an account's balance be wrong for as long as `act` takes. */
async function withDamage<T>(act: () => Promise<T>): Promise<T> {
  await sql`update public.credit_accounts set balance = balance + 1 where id = ${user.id}`;
  try {
    return await act();
  } finally {
    await sql`update public.credit_accounts set balance = balance - 1 where id = ${user.id}`;
  }
}

function reconcile(body: unknown, headers: Record<string, string>) {
  return callFunction("reconcile", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

describe("npm run reconcile", () => {
  test("ends with 0 on sound books, whatever else goes on", async () => {
    const { code, output } = await operate("reconcile", "--deep", "--json");
    expect(code, output).toBe(0);
    expect(JSON.parse(output)).toMatchObject({
      summary: { deep: true, discrepancies: 0 },
      discrepancies: [],
    });
    const table = await operate("reconcile");
    expect(table.code, table.output).toBe(0);
    expect(table.output).toContain("accountsChecked");
  });

  test("ends with 1 on a discrepancy, and names account, cause and remedy", async () => {
    const { code, output } = await withDamage(() =>
      operate("reconcile", "--json")
    );
    expect(code, output).toBe(1);
    const { discrepancies } = JSON.parse(output);
    expect(discrepancies).toContainEqual(expect.objectContaining({
      invariant: "balance",
      accountId: user.id,
      expected: 500,
      actual: 501,
      remedy: expect.stringContaining("sum of the ledger"),
    }));
    const shown = await withDamage(() => operate("reconcile"));
    expect(shown.output).toContain("Remedy: ");
  });
});

describe("npm run stats and anomalies", () => {
  test("show how generations go", async () => {
    const { code, output } = await operate("stats", "--hours", "1", "--json");
    const stats = JSON.parse(output);
    expect(code, output).toBe(stats.healthy ? 0 : 1);
    expect(stats.hours).toBe(1);
    expect(stats.completedJobs).toBeGreaterThan(0);
    expect(stats.creditsCharged).toBeGreaterThanOrEqual(500);
  });

  test("show suspicious activity, and end with 1", async () => {
    await sql`insert into public.request_events (account_id, status, code)
      select ${user.id}, 402, 'insufficient_credits' from generate_series(1, 60)`;
    const { code, output } = await operate("anomalies", "--json");
    expect(code, output).toBe(1);
    expect(JSON.parse(output).suspiciousActivity).toContainEqual(
      expect.objectContaining({
        rule: "spike_of_402",
        accountId: user.id,
        observed: 60,
      }),
    );
  });

  test("end with 2 and a sentence when the question cannot be asked", async () => {
    const { code, output } = await operate("stats", "--hours", "0");
    expect(code).toBe(2);
    expect(output).toContain("hours must be 1 to 8760");
  });
});

describe("reconcile", () => {
  test("is for the secret key alone, and answers with the run", async () => {
    const answer = await reconcile({ deep: true }, { apikey: stack.secretKey });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({ summary: { discrepancies: 0 } });
    const refused = await reconcile({}, userHeaders(user));
    expect(refused.status).toBe(401);
    const invalid = await reconcile({ deep: 1 }, { apikey: stack.secretKey });
    expect(invalid.status).toBe(400);
  });
});
