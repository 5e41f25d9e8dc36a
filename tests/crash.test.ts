import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, expect, test, vi } from "vitest";
import { type Stack, startStack } from "../scripts/stack/index.ts";
import { startPostgres } from "../scripts/stack/postgres.ts";
import { arrangeDatabase, LOOPBACK_MODEL } from "./support/models.ts";
import {
  OPENAI_API_KEY,
  PROMPTS,
  startOpenAiServer,
} from "./support/openai_server.ts";

const CREDITS = 1_000;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A stack of this test's own, whose database may die. */
async function startOwnStack(): Promise<{ stack: Stack; home: string }> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-crash-"));
  cleanUps.push(() => rm(home, { recursive: true, force: true }));
  const openai = await startOpenAiServer();
  cleanUps.push(openai.close);
  const stack = await startStack({
    project: process.cwd(),
    home,
    port: 0,
    dbPort: 0,
    env: { OPENAI_API_KEY, OPENAI_BASE_URL: openai.baseUrl },
  });
  cleanUps.push(stack.stop);
  return { stack, home };
}

async function signUp(stack: Stack): Promise<{ id: string; token: string }> {
  const response = await fetch(`${stack.url}/auth/v1/signup`, {
    method: "POST",
    headers: {
      apikey: stack.keys.publishable,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      email: "crash@example.com",
      password: "correct horse battery staple",
    }),
  });
  const { access_token, user } = await response.json();
  return { id: user.id, token: access_token };
}

function generateSlowly(stack: Stack, token: string): Promise<Response> {
  return fetch(`${stack.url}/functions/v1/generate`, {
    method: "POST",
    headers: {
      apikey: stack.keys.publishable,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ ...LOOPBACK_MODEL, prompt: PROMPTS.slow }),
  });
}

test("Postgres killed between charge and settle: the sweep gives the credits back", async () => {
  // The Data API prints every connection that the dead server refuses.
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { stack, home } = await startOwnStack();
  const before = postgres(stack.database.url(), { max: 1 });
  await arrangeDatabase(before);
  await before`update public.credit_settings set settle_margin_seconds = 1`;
  const user = await signUp(stack);
  await before`select public.grant_credits(${user.id}, ${CREDITS}, 'test')`;

  const pending = generateSlowly(stack, user.token);
  await expect.poll(async () => {
    const jobs = await before`select id from public.generation_jobs`;
    return jobs.length;
  }).toBe(1);
  process.kill(stack.database.pid, "SIGKILL");
  await stack.database.ended;
  await before.end({ timeout: 1 });
  const answer = await pending;
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ code: "service_unavailable" });

  const restarted = await startPostgres({ home, port: stack.database.port });
  cleanUps.push(restarted.stop);
  const sql = postgres(restarted.url(), { max: 1 });
  cleanUps.push(() => sql.end());
  const [charged] = await sql`
    select balance::integer from public.credit_accounts where id = ${user.id}
  `;
  expect(charged).toEqual({ balance: CREDITS - 500 });

  await expect.poll(async () => {
    await sql`select public.sweep_overdue_jobs()`;
    const [job] = await sql`select status from public.generation_jobs`;
    return job?.status;
  }, { timeout: 15_000, interval: 500 }).toBe("expired");
  const [account] = await sql`
    select balance::integer from public.credit_accounts where id = ${user.id}
  `;
  expect(account).toEqual({ balance: CREDITS });
  const deltas = await sql`
    select delta::integer from public.credit_ledger
    where job_id is not null order by seq
  `;
  expect(deltas.map(({ delta }) => delta)).toEqual([-500, 500]);
  const [summary] = await sql`
    select discrepancies::integer, overdue_jobs::integer
    from public.reconciliation_summary
  `;
  expect(summary).toEqual({ discrepancies: 0, overdue_jobs: 0 });
});
