import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chance, recordAttacking, rounds, seed } from "../support/adversity.ts";
import {
  type HoldingProxy,
  startHoldingProxy,
} from "../support/adversity_proxy.ts";
import { LOOPBACK_MODEL } from "../support/models.ts";
import {
  generateOn,
  killFunctions,
  type OwnStack,
  type OwnUser,
  signUp,
  startOwnStack,
} from "../support/own_stack.ts";

const PRICE = 500;
const CREDITS = 10_000;
const KILLS = rounds(2, 20, 10);
const random = chance(0);

let own: OwnStack;
let user: OwnUser;
/** Sees what the connections of other roles wait for. */
let superuser: Sql;
/** The functions reach the Data API through it. */
let proxy: HoldingProxy;

beforeAll(async () => {
  proxy = await startHoldingProxy(() => own.stack.url);
  own = await startOwnStack({ env: { SUPABASE_URL: proxy.url } });
  superuser = postgres(own.stack.database.url("supabase_admin"), { max: 1 });
});
afterAll(async () => {
  await superuser.end();
  await own.stop();
  await proxy.stop();
});

async function newUser(): Promise<void> {
  user = await signUp(own.stack);
  await own.sql`select public.grant_credits(${user.id}, ${CREDITS})`;
  await own
    .sql`update public.credit_accounts set plan = 'test-unhurried' where id = ${user.id}`;
}

const jobs = () =>
  own
    .sql`select id, status, cost, refunded from public.generation_jobs where account_id = ${user.id}`;

const somebodyWaits = () =>
  superuser`select from pg_stat_activity where wait_event_type = 'Lock'`;

/** Sends a request whose answer is lost when the functions die. */
function ask(key: string): Promise<number> {
  return generateOn(own.stack, user, LOOPBACK_MODEL, key)
    .then(({ status }) => status, () => 0);
}

/** Does something while the account's row is locked, so that a charge waits. */
async function withAccountLocked(
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  await own.sql.begin(async (tx) => {
    await tx`select from public.credit_accounts where id = ${user.id} for update`;
    await meanwhile();
  });
}

/** A point of a generation at which the functions are killed. */
interface Point {
  readonly kill: (key: string) => Promise<unknown>;
  /** How the job ends, and what a repeated request is answered; left out where it depends on the moment. */
  readonly end?: { readonly status: string; readonly answer: number };
}

const SETTLEMENT = "/rest/v1/rpc/settle_generation";

async function killWhen(
  held: Promise<void>,
  pending: Promise<unknown>,
): Promise<void> {
  await held;
  await killFunctions(own);
  await pending;
}

const EXPIRED = { status: "expired", answer: 504 };
const SUCCEEDED = { status: "succeeded", answer: 200 };

const POINTS: Record<string, Point> = {
  "between charge and provider": {
    end: EXPIRED,
    kill: async (key) => {
      let pending: Promise<unknown>;
      await withAccountLocked(async () => {
        pending = ask(key);
        await expect.poll(somebodyWaits).toHaveLength(1);
        await killFunctions(own);
      });
      await pending!;
    },
  },
  "between provider and settle": {
    end: EXPIRED,
    kill: (key) => killWhen(proxy.holdRequest(SETTLEMENT), ask(key)),
  },
  "between settle and answer": {
    end: SUCCEEDED,
    kill: (key) => killWhen(proxy.holdAnswer(SETTLEMENT), ask(key)),
  },
  "at any time": {
    kill: async (key) => {
      const pending = ask(key);
      await delay(random.next() * 150);
      await killFunctions(own);
      await pending;
    },
  },
};

/** Ends what was left open as the schedule would; the books then say one thing only. */
async function expectOneOutcome(
  key: string,
  { end }: Point,
): Promise<void> {
  await expect.poll(somebodyWaits).toEqual([]);
  await own
    .sql`update public.generation_jobs set deadline_at = now() where status in ('pending', 'running')`;
  await own.sql`select public.sweep_overdue_jobs()`;
  const [made, ...more] = await jobs();
  expect(more).toEqual([]);
  const expected = end ??
    (made?.status === "expired" ? EXPIRED : SUCCEEDED);
  if (end) expect(made).toMatchObject({ status: end.status });
  // A client that repeats a request that was charged is told its end, and not charged again.
  expect(await ask(key)).toBe(expected.answer);
  const [job, ...others] = await jobs();
  expect(others).toEqual([]);
  expect(job).toMatchObject({ ...made, status: expected.status });
  const kept = expected === SUCCEEDED ? PRICE : 0;
  const [account] = await own
    .sql`select balance::integer from public.credit_accounts where id = ${user.id}`;
  expect(account).toEqual({ balance: CREDITS - kept });
  const [summary] = await own.sql`
    select discrepancies::integer, overdue_jobs::integer from public.reconciliation_summary`;
  expect(summary).toEqual({ discrepancies: 0, overdue_jobs: 0 });
}

describe(`the functions killed (FUZZ_SEED=${seed})`, {
  timeout: KILLS * 15_000,
}, () => {
  test.each(Object.entries(POINTS))("%s", (name, point) =>
    recordAttacking(
      {
        attack: `kill -9 of the functions ${name}`,
        rounds: KILLS,
        unit: "kills",
      },
      async (tally) => {
        for (; tally.survived < KILLS; tally.survived++) {
          tally.lost = 1;
          await newUser();
          const key = randomUUID();
          await point.kill(key);
          await own.stack.restartFunctions();
          await expectOneOutcome(key, point);
          tally.lost = 0;
        }
      },
    ));
});
