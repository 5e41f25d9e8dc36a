import { randomUUID } from "node:crypto";
import { startFunctions } from "../../scripts/stack/functions.ts";
import { freePort } from "../../scripts/stack/index.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { recordAttack } from "../support/adversity.ts";
import { readBooks, readJobs, sql } from "../support/database.ts";
import {
  callFunction,
  generate,
  SMALL_IMAGE,
  userHeaders,
} from "../support/http.ts";
import { generateOn, signUp, startOwnStack } from "../support/own_stack.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { createUser } from "../support/user.ts";

const LIMIT = 40;
const REQUESTS = 200;
const PLAN = "test-abuse";
const PRICE = 500;

beforeAll(async () => {
  await sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs)
    values (${PLAN}, ${LIMIT}, 3600, 10000)`;
});

const times = <T>(count: number, make: (turn: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, turn) => make(turn)));

function tally(answers: readonly { status: number }[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe("at once", () => {
  test(`${REQUESTS} requests: exactly the limit passes`, async () => {
    const user = await createUser({ credits: 1_000_000, plan: PLAN });
    const answers = await times(REQUESTS, () => generate(user));
    const passed = answers.filter(({ status }) => status === 200).length;
    recordAttack({
      attack: `${REQUESTS} requests at once against a limit of ${LIMIT}`,
      ...{ rounds: REQUESTS, unit: "requests", survived: REQUESTS },
      lost: Math.abs(passed - LIMIT),
    });
    expect(tally(answers)).toEqual({ 200: LIMIT, 429: REQUESTS - LIMIT });
    expect((await readBooks(user.id)).balance)
      .toBe(1_000_000 - LIMIT * PRICE);
  });

  test("requests over two function processes: the limit is one", async () => {
    const own = await startOwnStack();
    const second = await startFunctions({
      ...{ project: process.cwd(), port: await freePort(0, "") },
      ...{ keys: own.stack.keys, supabaseUrl: own.stack.url },
      ...{ databaseUrl: own.stack.database.url(), log: () => {} },
    });
    try {
      await own.sql`update public.credit_plans
        set rate_limit_requests = ${LIMIT}, rate_limit_window_seconds = 3600 where name = ${UNHURRIED_PLAN}`;
      const user = await signUp(own.stack);
      await own.sql`select public.grant_credits(${user.id}, 1000000)`;
      await own
        .sql`update public.credit_accounts set plan = ${UNHURRIED_PLAN} where id = ${user.id}`;
      const instances = [own.stack, { ...own.stack, url: second.url }];
      const answers = await times(
        3 * LIMIT,
        (turn) => generateOn(instances[turn % 2]!, user, SMALL_IMAGE),
      );
      const passed = tally(answers)[200] ?? 0;
      recordAttack({
        attack: `${3 * LIMIT} requests over two function processes`,
        ...{ rounds: 3 * LIMIT, unit: "requests", survived: 3 * LIMIT },
        lost: Math.abs(passed - LIMIT),
      });
      expect(tally(answers)).toEqual({ 200: LIMIT, 429: 2 * LIMIT });
    } finally {
      await second.stop();
      await own.stop();
    }
  });

  test("100 equal requests with one key: one job, one charge, one answer", async () => {
    const user = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
    const key = { "idempotency-key": randomUUID() };
    const answers = await times(100, () => generate(user, {}, key));
    const unlike = new Set(
      answers.filter(({ status }) => status === 200)
        .map(({ body }) => body.job_id ?? body.id),
    );
    const { balance } = await readBooks(user.id);
    recordAttack({
      ...{ attack: "100 equal requests at once", unit: "requests" },
      ...{ rounds: 100, survived: 100 },
      lost: Math.abs(1_000_000 - PRICE - balance),
    });
    expect(
      Object.keys(tally(answers)).filter((code) =>
        !["200", "409"].includes(code)
      ),
    ).toEqual([]);
    expect(unlike.size).toBe(1);
    expect(await readJobs(user.id)).toHaveLength(1);
    expect(balance).toBe(1_000_000 - PRICE);
  });

  test("settle, fail, cancel and refund of one job: one end", async () => {
    const ROUNDS = 25;
    const user = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
    let wrong = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [job] = await sql`select job_id from public.atomic_charge_credits(
        ${user.id}, 'standard-image', '{"prompt": "a"}')`;
      const id = job!.job_id;
      await Promise.allSettled([
        sql`select public.settle_generation(${id}, '{}')`,
        sql`select public.fail_generation(${id})`,
        sql`select public.refund_credits(${id})`,
        callFunction(`jobs/${id}/cancel`, {
          method: "POST",
          headers: userHeaders(user),
        }),
      ]);
      const [end] = await sql<
        { status: string; refunded: number; net: number }[]
      >`
        select status, refunded, -(select sum(delta) from public.credit_ledger
          where account_id = ${user.id} and job_id = ${id})::integer as net
        from public.generation_jobs where id = ${id}`;
      if (end!.net !== 0 || end!.refunded !== PRICE) wrong++;
    }
    recordAttack({
      ...{ attack: "settle, fail, cancel and refund of one job at once" },
      ...{ rounds: ROUNDS, unit: "races", survived: ROUNDS - wrong },
      lost: wrong,
    });
    const { balance, ledgerSum, remaining } = await readBooks(user.id);
    expect([wrong, balance, ledgerSum, remaining])
      .toEqual([0, 1_000_000, 1_000_000, 1_000_000]);
  });
});
