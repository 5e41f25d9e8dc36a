import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttack, rounds } from "../support/adversity.ts";
import { LOOPBACK_MODEL } from "../support/models.ts";
import { PROMPTS } from "../support/openai_server.ts";
import {
  generateOn,
  type OwnStack,
  type OwnUser,
  signUp,
  startOwnStack,
} from "../support/own_stack.ts";

const PRICE = 500;
const CREDITS = 10_000;
const KILLS = rounds(2, 20);

let own: OwnStack;
let user: OwnUser;
/** Sees what the connections of other roles wait for. */
let superuser: Sql;

beforeAll(async () => {
  own = await startOwnStack();
  superuser = postgres(own.stack.database.url("supabase_admin"), { max: 1 });
});
afterAll(async () => {
  await superuser.end();
  await own.stop();
});

async function newUser(): Promise<void> {
  user = await signUp(own.stack);
  await own.sql`select public.grant_credits(${user.id}, ${CREDITS})`;
  await own
    .sql`update public.credit_accounts set plan = 'test-unhurried' where id = ${user.id}`;
}

async function killFunctions(): Promise<void> {
  process.kill(own.stack.functions.pid, "SIGKILL");
  await own.stack.functions.ended;
}

const jobs = () =>
  own
    .sql`select id, status, cost, refunded from public.generation_jobs where account_id = ${user.id}`;

const somebodyWaits = () =>
  superuser`select from pg_stat_activity where wait_event_type = 'Lock'`;

/** Sends a request whose answer is lost when the functions die. */
function ask(key: string, prompt: string): Promise<number> {
  return generateOn(own.stack, user, { ...LOOPBACK_MODEL, prompt }, key)
    .then(({ status }) => status, () => 0);
}

/** Does something while the account's row is locked, so that a charge or a settlement waits. */
async function withAccountLocked(
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  await own.sql.begin(async (tx) => {
    await tx`select from public.credit_accounts where id = ${user.id} for update`;
    await meanwhile();
  });
}

/** Kills the functions at one point of a generation. */
type Kill = (key: string) => Promise<unknown>;

const POINTS: Record<string, Kill> = {
  "between charge and provider": async (key) => {
    let pending: Promise<unknown>;
    await withAccountLocked(async () => {
      pending = ask(key, "a lighthouse");
      await expect.poll(somebodyWaits).toHaveLength(1);
      await killFunctions();
    });
    await pending!;
  },
  "between provider and settle": async (key) => {
    const pending = ask(key, PROMPTS.silence);
    await expect.poll(jobs).toHaveLength(1);
    await killFunctions();
    await pending;
  },
  "between settle and answer": async (key) => {
    const pending = ask(key, PROMPTS.slow);
    await expect.poll(jobs).toHaveLength(1);
    await withAccountLocked(async () => {
      await expect.poll(somebodyWaits, { timeout: 5_000 }).toHaveLength(1);
      await killFunctions();
    });
    await pending;
  },
  "at any time": async (key) => {
    const pending = ask(key, "a lighthouse");
    await delay(Math.random() * 150);
    await killFunctions();
    await pending;
  },
};

/** Ends what was left open as the schedule would; the books then say one thing only. */
async function expectOneOutcome(key: string): Promise<void> {
  await expect.poll(somebodyWaits).toEqual([]);
  await own
    .sql`update public.generation_jobs set deadline_at = now() where status in ('pending', 'running')`;
  await own.sql`select public.sweep_overdue_jobs()`;
  const made = await jobs();
  expect(made.length).toBeLessThanOrEqual(1);
  const kept = made.filter(({ status }) => status === "succeeded");
  expect(
    made.filter(({ status }) => !["succeeded", "expired"].includes(status)),
  )
    .toEqual([]);
  // Whoever repeats a request that was charged is told its end, and not charged again.
  if (made.length === 1) {
    const again = await ask(key, "a lighthouse");
    expect(again).not.toBe(0);
    expect(await jobs()).toHaveLength(1);
  }
  const [account] = await own
    .sql`select balance::integer from public.credit_accounts where id = ${user.id}`;
  expect(account).toEqual({ balance: CREDITS - PRICE * kept.length });
  const [summary] = await own.sql`
    select discrepancies::integer, overdue_jobs::integer from public.reconciliation_summary`;
  expect(summary).toEqual({ discrepancies: 0, overdue_jobs: 0 });
}

describe("the functions killed", { timeout: KILLS * 15_000 }, () => {
  test.each(Object.entries(POINTS))("%s", async (point, kill) => {
    let survived = 0;
    try {
      for (; survived < KILLS; survived++) {
        await newUser();
        const key = randomUUID();
        await kill(key);
        await own.stack.restartFunctions();
        await expectOneOutcome(key);
      }
    } finally {
      recordAttack({
        attack: `kill -9 of the functions ${point}`,
        ...{ rounds: KILLS, unit: "kills", survived, lost: KILLS - survived },
      });
    }
  });
});
