import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type Chance,
  chance,
  recordAttacking,
  rounds,
  seed,
} from "../support/adversity.ts";
import {
  type Fault,
  type FaultyProxy,
  startFaultyProxy,
} from "../support/faulty_proxy.ts";
import { CALLBACK_MODEL, LOOPBACK_MODEL } from "../support/models.ts";
import { PIXEL } from "../support/openai_server.ts";
import {
  type OutputRecovery,
  outputRecovery,
} from "../support/output_recovery.ts";
import {
  generateOn,
  type OwnStack,
  type OwnUser,
  signUp,
  startOwnStack,
} from "../support/own_stack.ts";
import { readPictures } from "../support/pictures.ts";
import {
  deliver,
  type Prediction,
  REPLICATE_ENV,
  type ReplicateServer,
  saying,
  startReplicateServer,
} from "../support/replicate_server.ts";

const PRICE = 500;
const CREDITS = 100_000;
/** Jobs at once in a round, half of them at a provider that calls back. */
const JOBS = 16;
const ROUNDS = rounds(2, 25, 2);

let own: OwnStack;
let provider: ReplicateServer;
let proxy: FaultyProxy;
let recovery: OutputRecovery;

beforeAll(async () => {
  provider = await startReplicateServer();
  proxy = await startFaultyProxy(() => own.stack.url);
  own = await startOwnStack({
    env: {
      ...REPLICATE_ENV,
      REPLICATE_BASE_URL: provider.baseUrl,
      SUPABASE_URL: proxy.url,
    },
  });
  recovery = outputRecovery(own);
});
afterEach(async () => {
  await own.sql`update public.credit_settings set late_outputs = default`;
});
afterAll(async () => {
  await recovery?.stop();
  await own?.stop();
  await proxy?.stop();
  await provider?.close();
});

const refusing = (status: number, error: string): Fault => ({
  status: status === 503 ? 503 : 400,
  body: { statusCode: String(status), error, message: error },
});
const DOWN = refusing(503, "SlowDown");
const FULL = refusing(507, "no space left");
const TOO_LARGE = refusing(413, "Payload too large");

/** What goes wrong, by the beginning of a path; the rest goes well. */
const FAULTS: Record<string, readonly (Fault | "slow")[]> = {
  "/storage/v1/object/generations": [
    "slow",
    "slow",
    DOWN,
    FULL,
    TOO_LARGE,
    "reset",
    "lost",
  ],
  "/storage/v1/object/sign": [DOWN, "slow", "lost"],
  "/rest/v1/rpc/settle_generation": [DOWN, "slow", "reset", "lost"],
  "/rest/v1/rpc/fail_generation": [DOWN, "lost"],
  "/rest/v1/rpc/keep_late_output": [DOWN, "slow", "lost"],
  "/rest/v1/rpc/finish_storage_deletions": [DOWN, "lost"],
};

/** Has a third of all that concerns outputs go wrong. */
function beginFaults(random: Chance): () => number {
  return proxy.judge(async (_, url) => {
    const [, faults] = Object.entries(FAULTS).find(([path]) =>
      url.startsWith(path)
    ) ?? [];
    if (!faults || random.next() > 0.35) return undefined;
    const fault = random.any(faults);
    if (fault !== "slow") return fault;
    await delay(random.upTo(600));
    return undefined;
  });
}

const FILES = ["pixel", "pixel", "missing", "broken", "busy", "text", "reset"];

/** Says that a job is made, as often and as late as chance has it; its file is not always there. */
async function callBack(given: Prediction, random: Chance): Promise<void> {
  const say = async () => {
    const file = provider.picture(random.any(FILES));
    await deliver(saying(given, "succeeded", file)).catch(() => {});
  };
  // What it says when it is asked.
  const output = provider.picture(random.any(["pixel", "missing"]));
  const status = random.any(["succeeded", "processing", "failed"] as const);
  provider.says.set(given.id, { status, output });
  await delay(random.upTo(800));
  switch (random.any(["lost", "once", "twice", "at once"])) {
    case "once":
      return await say();
    case "twice":
      await say();
      return await say();
    case "at once":
      await Promise.all([say(), say()]);
  }
}

/** Carries a job out; the pictures that its client was given, in base64. */
async function runJob(
  user: OwnUser,
  number: number,
  random: Chance,
): Promise<string[]> {
  const prompt = randomUUID();
  const model = number % 2 === 0 ? LOOPBACK_MODEL : CALLBACK_MODEL;
  const response = await generateOn(own.stack, user, { ...model, prompt });
  const text = await response.text();
  const [given] = provider.predictions(prompt);
  if (given) await callBack(given, random);
  if (response.status !== 200) return [];
  const body = JSON.parse(text);
  expect(body.status).toBe("succeeded");
  return [body.job_id];
}

/** What the schedule does meanwhile, and too early: it ends jobs, asks, and deletes with its clock an hour ahead. */
async function runTasks(random: Chance): Promise<void> {
  for (let times = 0; times < 3; times++) {
    await delay(random.upTo(700));
    const task = random.any(["ask", "sweep", "delete"]);
    if (task === "ask") await recovery.ask();
    else if (task === "sweep") await recovery.sweep();
    else await recovery.deleteObjects().catch(() => {});
  }
}

/** Everything that the schedule would do in the end, with nothing in its way. */
async function recover(): Promise<void> {
  await recovery.ask();
  await recovery.sweep();
  await recovery.deleteObjects();
}

/** The jobs of a user that were charged; each of them gives its picture. */
async function chargedJobs(user: OwnUser): Promise<string[]> {
  const jobs = await own.sql<{ id: string }[]>`
    select id from public.generation_jobs where account_id = ${user.id} and status = 'succeeded'`;
  for (const { id } of jobs) {
    const shown = await fetch(`${own.stack.url}/functions/v1/jobs/${id}`, {
      headers: {
        apikey: own.stack.keys.publishable,
        authorization: `Bearer ${user.token}`,
      },
    });
    const text = await shown.text();
    expect(await readPictures({ text, body: JSON.parse(text) }))
      .toEqual([PIXEL]);
  }
  return jobs.map(({ id }) => id);
}

describe(
  `Storage, callbacks and the schedule at their worst (FUZZ_SEED=${seed})`,
  {
    timeout: ROUNDS * 60_000,
  },
  () => {
    test.each(["drop", "keep"])(
      "no output is unpaid, no charge without one, no file left over (late_outputs = %s)",
      async (late) => {
        await own.sql`update public.credit_settings set late_outputs = ${late}`;
        const attack = {
          attack:
            `outputs under faults of Storage, settlement, callbacks and files; late outputs: ${late}`,
          rounds: ROUNDS * JOBS,
          unit: "jobs",
        };
        await recordAttacking(attack, async (tally) => {
          for (let round = 0; round < ROUNDS; round++) {
            const random = chance(round);
            const user = await signUp(own.stack);
            await own.sql`select public.grant_credits(${user.id}, ${CREDITS})`;
            await own.sql`
            update public.credit_accounts set plan = 'test-unhurried' where id = ${user.id}`;
            const stop = beginFaults(random);
            const [delivered] = await Promise.all([
              Promise.all(
                Array.from(
                  { length: JOBS },
                  (_, at) => runJob(user, at, random),
                ),
              ),
              runTasks(random),
            ]);
            expect(stop()).toBeGreaterThan(0);
            await recover();
            const faults = await recovery.faults();
            tally.lost += faults.length;
            expect(faults).toEqual([]);
            const charged = await chargedJobs(user);
            expect(charged).toEqual(expect.arrayContaining(delivered.flat()));
            const [account] = await own.sql`
            select balance::integer from public.credit_accounts where id = ${user.id}`;
            expect(account)
              .toEqual({ balance: CREDITS - charged.length * PRICE });
            tally.survived += JOBS;
          }
        });
      },
    );
  },
);
