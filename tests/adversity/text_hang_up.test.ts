import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chance, recordAttacking, rounds, seed } from "../support/adversity.ts";
import { readBooks, sql } from "../support/database.ts";
import { startSharedFunctions } from "../support/shared_functions.ts";
import {
  endedJobs,
  startTextScene,
  TEXT_MODEL,
  textEnvironment,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";
import type { TestUser } from "../support/user.ts";

const CREDITS = 1_000_000;
const HANG_UPS = rounds(20, 200, 30);
const KILLS = rounds(2, 20, 3);
/** A word of the answer is a token, at 2 credits; the prompt has less than 100 at 1. */
const WORD = 2;
const MOST_OF_PROMPT = 100;
const random = chance(0);

let scene: TextScene;
beforeAll(async () => {
  scene = await startTextScene();
});
afterAll(() => scene.stop());

/** Asks for words without an end, and hangs up after some time. Returns how many words came. */
async function askFor(
  milliseconds: number,
  baseURL: string,
  user: TestUser,
  onWord: () => void = () => {},
): Promise<number> {
  let words = 0;
  try {
    const response = await fetch(`${baseURL}/chat/completions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${user.token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({
        model: TEXT_MODEL,
        stream: true,
        messages: [{ role: "user", content: `do pour ${user.id}` }],
      }),
      signal: AbortSignal.timeout(milliseconds),
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      words += decoder.decode(chunk).split("drop ").length - 1;
      if (words > 0) onWord();
    }
  } catch {
    // It hung up, or the functions died.
  }
  return words;
}

/** How many words the provider has sent for a user's last request. */
function wordsSent({ id }: TestUser): number {
  const request = scene.upstream.received.findLast(({ body }) =>
    JSON.stringify(body).includes(id)
  );
  return request?.words ?? 0;
}

async function expectSound(user: TestUser): Promise<void> {
  const { balance, ledgerSum, remaining } = await readBooks(user.id);
  expect([ledgerSum, remaining]).toEqual([balance, balance]);
}

/** The long forms take minutes. */
const LIMIT = 600_000;

test(
  `a client that hangs up at any moment pays for what came (seed ${seed})`,
  async () => {
    const attack = "hang-ups of a stream";
    const what = { attack, rounds: HANG_UPS, unit: "hang-ups" };
    await recordAttacking(what, async (tally) => {
      for (; tally.survived < HANG_UPS; tally.survived++) {
        tally.lost = 1;
        await hangUp(tally.survived);
        tally.lost = 0;
      }
    });
  },
  LIMIT,
);

async function hangUp(round: number): Promise<void> {
  const user = await textUser(CREDITS);
  const words = await askFor(random.upTo(250), scene.baseURL, user);
  // What was on its way may still be charged, and is ended all the same.
  if (words === 0) await delay(100);
  const [job] = await endedJobs(user);
  const charged = job?.charged ?? 0;
  const sent = wordsSent(user);
  const told = `round ${round}: ${words} came of ${sent}`;
  expect(charged, told).toBeGreaterThanOrEqual(words * WORD);
  expect(charged, told).toBeLessThanOrEqual(sent * WORD + MOST_OF_PROMPT);
  if (job) {
    expect(job.isInTime, told).toBe(true);
    expect(job.status, told).toBe(charged > 0 ? "succeeded" : "canceled");
  }
  await expectSound(user);
}

test(
  `functions that die in mid-stream: the sweeper ends their jobs (seed ${seed})`,
  async () => {
    const user = await textUser(CREDITS);
    const attack = "kill -9 of the functions in mid-stream";
    const what = { attack, rounds: KILLS, unit: "kills" };
    await recordAttacking(what, async (tally) => {
      for (; tally.survived < KILLS; tally.survived++) {
        tally.lost = 1;
        await killInMidStream(user, tally.survived);
        tally.lost = 0;
      }
    });
    await expectSound(user);
  },
  LIMIT,
);

async function killInMidStream(user: TestUser, round: number): Promise<void> {
  const functions = await startSharedFunctions({
    env: textEnvironment(scene.upstream),
  });
  const url = `${functions.url}/functions/v1/openai/v1`;
  let asking: Promise<number> | undefined;
  await new Promise<void>((resolve) => {
    asking = askFor(20_000, url, user, resolve);
  });
  await delay(100 + random.upTo(2_500));
  process.kill(functions.pid, "SIGKILL");
  await functions.ended;
  const words = await asking;
  await sql`update public.generation_jobs set deadline_at = now() - interval '1 second'
      where account_id = ${user.id} and status = 'running'`;
  await sql`select public.sweep_overdue_jobs()`;
  const job = (await endedJobs(user)).at(-1)!;
  const sent = wordsSent(user);
  const told = `round ${round}: ${words} came of ${sent}`;
  expect(words, told).toBeGreaterThan(0);
  expect(job.charged, told).toBeGreaterThan(0);
  expect(job.charged, told).toBeLessThanOrEqual(sent * WORD + MOST_OF_PROMPT);
}
