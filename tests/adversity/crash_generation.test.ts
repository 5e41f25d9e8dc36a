import postgres from "postgres";
import { afterEach, expect, test } from "vitest";
import { startPostgres } from "../../scripts/stack/postgres.ts";
import { LOOPBACK_MODEL } from "../support/models.ts";
import { PROMPTS } from "../support/openai_server.ts";
import { generateOn, signUp, startOwnStack } from "../support/own_stack.ts";
import { killTree } from "../support/stack_process.ts";

const CREDITS = 1_000;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

test("Postgres killed between charge and settle: the sweep gives the credits back", async () => {
  const { stack, home, sql: before, stop } = await startOwnStack();
  cleanUps.push(stop);
  await before`update public.credit_settings set settle_margin_seconds = 1`;
  const user = await signUp(stack);
  await before`select public.grant_credits(${user.id}, ${CREDITS}, 'test')`;

  const pending = generateOn(stack, user, {
    ...LOOPBACK_MODEL,
    prompt: PROMPTS.slow,
  });
  await expect.poll(async () => {
    const jobs = await before`select id from public.generation_jobs`;
    return jobs.length;
  }, { timeout: 10_000 }).toBe(1);
  await killTree(stack.database.pid);
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
