import { expect, test } from "vitest";
import { recordAttacking } from "../support/adversity.ts";
import { readBooks, readJobs, sql } from "../support/database.ts";
import { callFunction, generate, userHeaders } from "../support/http.ts";
import { CALLBACK_MODEL, LOOPBACK_MODEL } from "../support/models.ts";
import { PROMPTS } from "../support/openai_server.ts";
import { times } from "../support/times.ts";
import { createUser, type TestUser } from "../support/user.ts";

const PRICE = 500;

/** Opens a job that runs where its provider calls back; resolves to its id. */
async function openJob(user: TestUser): Promise<string> {
  const [job] = await sql`select job_id from public.atomic_charge_credits(
    ${user.id}, ${CALLBACK_MODEL.model}, '{"prompt": "a"}', p_start => true)`;
  return job!.job_id;
}

const cancel = (id: string, user: TestUser) =>
  callFunction(`jobs/${id}`, { method: "DELETE", headers: userHeaders(user) });

/** The ids of a user's open jobs, as soon as there are any, or a request is answered. */
async function openJobsUntil(
  user: TestUser,
  isAnswered: () => boolean,
): Promise<string[]> {
  let open: string[] = [];
  await expect.poll(async () => {
    open = (await readJobs(user.id))
      .filter(({ status }) => status === "pending" || status === "running")
      .map(({ id }) => id);
    return open.length > 0 || isAnswered();
  }, { timeout: 10_000, interval: 5 }).toBe(true);
  return open;
}

test("8 times generate and cancel on a plan of one job at a time: no picture that is not paid", () => {
  const TURNS = 8;
  const attack = {
    attack: "generate and cancel on a plan of one job at a time",
    rounds: TURNS,
    unit: "generations",
  };
  return recordAttacking(attack, async (tally) => {
    await sql`insert into public.credit_plans (name, rate_limit_requests, max_concurrent_jobs)
      values ('test-one-job', 1000, 1) on conflict do nothing`;
    const user = await createUser({
      credits: 1_000_000,
      plan: "test-one-job",
    });
    const slow = { ...LOOPBACK_MODEL, prompt: PROMPTS.slow };
    const answers: Promise<unknown>[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      let isAnswered = false;
      answers.push(generate(user, slow).finally(() => isAnswered = true));
      const open = await openJobsUntil(user, () => isAnswered);
      await Promise.all(open.map((id) => cancel(id, user)));
    }
    await Promise.all(answers);
    const [work] = await sql`
      select count(*) filter (where status = 'succeeded' or late_settled_at is not null)::integer as made,
        sum(cost - refunded)::integer as paid
      from public.generation_jobs where account_id = ${user.id}`;
    tally.survived = TURNS;
    tally.lost = work!.made - work!.paid / PRICE;
    expect(work!.made).toBeGreaterThan(0);
    expect(work!.paid).toBe(work!.made * PRICE);
  });
});

test("20 running jobs canceled at once: as many as the plan gives away, once", () => {
  const [JOBS, FREE] = [20, 5];
  const attack = {
    attack: `${JOBS} running jobs canceled at once, ${FREE} a day are free`,
    rounds: JOBS,
    unit: "cancels",
  };
  return recordAttacking(attack, async (tally) => {
    await sql`insert into public.credit_plans (name, rate_limit_requests, max_concurrent_jobs, free_cancels_per_day)
      values ('test-five-cancels', 1000, 100, ${FREE}) on conflict do nothing`;
    const user = await createUser({
      credits: 1_000_000,
      plan: "test-five-cancels",
    });
    const ids = await Promise.all(
      times(JOBS, () => openJob(user)),
    );
    const answers = await Promise.all(
      ids.flatMap((id) => [cancel(id, user), cancel(id, user)]),
    );
    const codes = new Set(answers.map(({ body }) => body.code));
    const canceled = (await readJobs(user.id))
      .filter(({ status }) => status === "canceled").length;
    tally.survived = JOBS;
    tally.lost = Math.max(canceled - FREE, 0);
    expect(codes).toEqual(new Set([undefined, "cancels_used_up"]));
    expect(canceled).toBe(FREE);
    expect((await readBooks(user.id)).balance)
      .toBe(1_000_000 - PRICE * (JOBS - FREE));
  });
});
