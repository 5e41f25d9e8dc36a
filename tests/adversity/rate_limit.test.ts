import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Functions } from "../../scripts/stack/functions.ts";
import { recordAttacking, rounds, type Tally } from "../support/adversity.ts";
import { sql } from "../support/database.ts";
import { SMALL_IMAGE, userHeaders } from "../support/http.ts";
import { startSharedFunctions } from "../support/shared_functions.ts";
import { stack } from "../support/stack.ts";
import { times } from "../support/times.ts";
import { createUser, type TestUser } from "../support/user.ts";

const REQUESTS = rounds(80, 200);
const LIMIT = 40;
const EQUAL = rounds(40, 100);
/** More than are free and fit the limit. */
const MANY = 120;
const PRICE = 500;
/** So many that no request fails for want of them. */
const CREDITS = 1_000_000;

let second: Functions;
beforeAll(async () => {
  second = await startSharedFunctions();
  // A process's first request takes long, and two hundred first ones at once longer than a statement may.
  const user = await limitedUser(10_000);
  await statuses(times(2, (turn) => ask(user, turn)));
});
afterAll(() => second?.stop());

/** A user with credits whose plan lets so many requests pass in so many seconds. */
async function limitedUser(requests: number, seconds = 3600) {
  const plan = `test-${requests}-in-${seconds}`;
  await sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs)
    values (${plan}, ${requests}, ${seconds}, 10000) on conflict do nothing`;
  return await createUser({ credits: CREDITS, plan });
}

/** Asks two function processes by turns. */
function ask(
  user: TestUser,
  turn = 0,
  input: Record<string, unknown> = {},
  key: string = randomUUID(),
): Promise<Response> {
  const { url } = turn % 2 ? second : stack;
  return fetch(`${url}/functions/v1/generate`, {
    method: "POST",
    headers: { ...userHeaders(user), "idempotency-key": key },
    body: JSON.stringify({ ...SMALL_IMAGE, ...input }),
  });
}

/** What each of these requests was answered with. */
async function statuses(answers: Promise<Response>[]): Promise<number[]> {
  const all = await Promise.all(answers);
  await Promise.all(all.map((answer) => answer.body?.cancel()));
  return all.map(({ status }) => status);
}

function count(codes: readonly number[], code: number): number {
  return codes.filter((each) => each === code).length;
}

test(`${REQUESTS} requests at once over two function processes: exactly the limit passes`, () =>
  recordAttacking({
    attack:
      `${REQUESTS} requests at once over two function processes, a limit of ${LIMIT}`,
    rounds: REQUESTS,
    unit: "requests",
  }, async (tally) => {
    const user = await limitedUser(LIMIT);
    const codes = await statuses(times(REQUESTS, (turn) => ask(user, turn)));
    const [passed, denied] = [count(codes, 200), count(codes, 429)];
    tally.survived = passed + denied;
    tally.lost = Math.abs(passed - LIMIT);
    expect([passed, denied]).toEqual([LIMIT, REQUESTS - LIMIT]);
    const [denials] = await sql`
      select count(distinct request_id)::integer as recorded
      from public.credit_request_events where account_id = ${user.id} and code = 'rate_limited'`;
    expect(denials!.recorded).toBe(REQUESTS - LIMIT);
  }));

/** The same request so often at once, with one key: what was answered, once it is sure that it was charged once. */
async function askTheSame(
  user: TestUser,
  tally: Tally,
  requests = EQUAL,
): Promise<number[]> {
  const key = randomUUID();
  const answers = await Promise.all(
    times(requests, (turn) => ask(user, turn, {}, key)),
  );
  const bodies = await Promise.all(answers.map((each) => each.json()));
  const codes = answers.map(({ status }) => status);
  const [jobs] = await sql`
    select count(*)::integer as jobs, sum(cost - refunded)::integer as cost
    from public.generation_jobs where account_id = ${user.id}`;
  const [account] = await sql`
    select balance::integer from public.credit_accounts where id = ${user.id}`;
  tally.lost = Math.abs(CREDITS - PRICE - account!.balance);
  expect([jobs, account]).toEqual([{ jobs: 1, cost: PRICE }, {
    balance: CREDITS - PRICE,
  }]);
  const made = bodies.filter((_, turn) => codes[turn] === 200)
    .map(({ job_id, id }) => job_id ?? id);
  expect(new Set(made).size).toBe(1);
  return codes;
}

test(`${EQUAL} equal requests at once over two function processes: one charge, which counts once`, () =>
  recordAttacking({
    attack:
      `${EQUAL} equal requests at once over two function processes, a limit of ${EQUAL}`,
    rounds: EQUAL,
    unit: "requests",
  }, async (tally) => {
    const user = await limitedUser(EQUAL);
    const codes = await askTheSame(user, tally);
    tally.survived = count(codes, 200) + count(codes, 409);
    expect(codes.filter((code) => code !== 200 && code !== 409)).toEqual([]);
    const next = await ask(user);
    expect([next.status, next.headers.get("ratelimit")])
      .toEqual([
        200,
        expect.stringMatching(new RegExp(`^"default";r=${EQUAL - 2};`)),
      ]);
    await next.body?.cancel();
  }));

test(`${MANY} equal requests at once beyond the limit: one charge, and the repeats beyond it count`, () =>
  recordAttacking({
    attack:
      `${MANY} equal requests at once over two function processes, a limit of 5 in a minute`,
    rounds: MANY,
    unit: "requests",
  }, async (tally) => {
    const user = await limitedUser(5, 60);
    const codes = await askTheSame(user, tally, MANY);
    const answered = count(codes, 200) + count(codes, 409);
    tally.survived = answered + count(codes, 429);
    expect(tally.survived).toBe(MANY);
    // The charge, one free repeat per second of the window, and those that take the rest of the limit.
    expect(answered).toBeGreaterThanOrEqual(1 + 60 + 4);
    expect(count(codes, 429)).toBeGreaterThan(0);
    expect(await statuses([ask(user)])).toEqual([429]);
  }));

test("a denial says when to come back, and then a request passes", async () => {
  const user = await limitedUser(1, 2);
  const first = await ask(user);
  expect([first.status, first.headers.get("ratelimit-policy")])
    .toEqual([200, '"default";q=1;w=2']);
  const denied = await ask(user, 1);
  expect(denied.status).toBe(429);
  expect(denied.headers.get("retry-after")).toMatch(/^[12]$/);
  expect(denied.headers.get("ratelimit")).toMatch(/^"default";r=0;t=[12]$/);
  await expect.poll(() => statuses([ask(user)]), { timeout: 10_000 })
    .toEqual([200]);
});

test("a replay neither counts nor is denied, up to as many as the limit", async () => {
  const user = await limitedUser(2);
  const key = randomUUID();
  const same = () => ask(user, 0, {}, key);
  expect(await statuses([same()])).toEqual([200]);
  expect(await statuses([same()])).toEqual([200]);
  expect(await statuses([ask(user)])).toEqual([200]);
  expect(await statuses([ask(user)])).toEqual([429]);
  expect(await statuses([same()])).toEqual([200]);
});

test("the case of an account's id is no way around the limit", async () => {
  const user = await limitedUser(1);
  const spellings = [user.id, user.id.toUpperCase(), user.id];
  const codes = [];
  for (const account_id of spellings) {
    codes.push(...await statuses([ask(user, 0, { account_id })]));
  }
  expect(codes).toEqual([200, 429, 429]);
});

test("a bad request counts", async () => {
  const user = await limitedUser(1);
  const bad = { model: "no-such-model" };
  expect(await statuses([ask(user, 0, bad)])).toEqual([400]);
  expect(await statuses([ask(user)])).toEqual([429]);
});

test("a stranger does not use up an account's limit, nor one user another's", async () => {
  const owner = await limitedUser(1);
  const stranger = await limitedUser(5);
  const account = { account_id: owner.id };
  expect(await statuses(times(3, (turn) => ask(stranger, turn, account))))
    .toEqual([403, 403, 403]);
  expect(await statuses([ask(owner)])).toEqual([200]);
  expect(await statuses([ask(stranger)])).toEqual([200]);
});
