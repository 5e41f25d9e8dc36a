import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  chance,
  recordAttacking,
  rounds,
  seed,
  type Tally,
} from "../support/adversity.ts";
import {
  type CallbackFunctions,
  startCallbackFunctions,
  startFalFunctions,
} from "../support/callback_functions.ts";
import {
  type Mischief,
  mischief,
  type Status,
} from "../support/callback_mischief.ts";
import { readBooks, readJobDeltas, sql } from "../support/database.ts";
import { FAL_KEY } from "../support/fal_server.ts";
import { userHeaders } from "../support/http.ts";
import {
  type InternalServer,
  startInternalServer,
} from "../support/internal_server.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import {
  deliver,
  OLD_REPLICATE_SECRET,
  REPLICATE_API_TOKEN,
  REPLICATE_SECRET,
} from "../support/replicate_server.ts";
import { stack } from "../support/stack.ts";
import { createUser, type TestUser } from "../support/user.ts";

const START = 100_000;
const PRICE = 500;
const ROUNDS = rounds(2, 10, 4);
/** What callbacks may be answered with: done, refused, or to be repeated. */
const ANSWERS = [200, 400, 401, 404, 413, 503];

const PROVIDERS = { replicate: startCallbackFunctions, fal: startFalFunctions };

let internal: InternalServer;

beforeAll(async () => {
  internal = await startInternalServer();
});
afterAll(() => internal?.close());

/** Everything that callers have been answered, and that is kept of a user's. */
async function traces(
  functions: CallbackFunctions,
  user: TestUser,
  answers: string[],
): Promise<string> {
  const jobs = await fetch(functions.url("jobs?limit=100"), {
    headers: userHeaders(user),
  });
  const kept = await sql`
    select output, error from public.generation_jobs where account_id = ${user.id}`;
  const outbox = await sql`
    select * from public.credit_events where account_id = ${user.id}`;
  return [await jobs.text(), ...answers, JSON.stringify([kept, outbox])].join();
}

/** Plays one mischief, and sees to how its job ended. */
async function play(
  functions: CallbackFunctions,
  name: string,
  { play, ends }: Mischief,
  round: number,
  tally: Tally,
): Promise<void> {
  const user = await createUser({ credits: START, plan: UNHURRIED_PLAN });
  const prompt = `${name} ${round} ${user.id}`;
  const job = await functions.submit(user, { prompt });
  const answers: string[] = [];
  await play(job, async (message) => {
    const { status, text, seen } = await deliver(message);
    tally.rounds++;
    answers.push(text, seen);
    expect(ANSWERS, text).toContain(status);
    tally.survived++;
    return status;
  });
  const [ended] = await sql<{ status: Status; is_late: boolean }[]>`
    select status, late_settled_at is not null as is_late
    from public.generation_jobs where id = ${job.jobId}`;
  const cost = ended!.status === "succeeded" ? PRICE : 0;
  const { balance, ledgerSum, remaining } = await readBooks(user.id);
  tally.lost += Math.abs(START - cost - balance);
  expect(ends, name).toContain(ended!.status);
  expect([balance, ledgerSum, remaining], name)
    .toEqual(Array(3).fill(START - cost));
  expect(await readJobDeltas(user.id), name)
    .toEqual(cost ? [-PRICE] : [-PRICE, PRICE]);
  const isLate = name === "comes late" ||
    name === "succeeds after it has failed";
  if (isLate) expect(ended!.is_late, name).toBe(true);
  const seen = await traces(functions, user, answers);
  expectQuiet(name, seen, functions.logged.join("\n"));
}

function expectQuiet(name: string, seen: string, log: string): void {
  const secrets = [
    REPLICATE_API_TOKEN,
    REPLICATE_SECRET,
    OLD_REPLICATE_SECRET,
    FAL_KEY,
    stack.secretKey,
    stack.jwtSecret,
    internal.url,
    "/etc/passwd",
  ];
  for (const secret of secrets) {
    expect(log, name).not.toContain(secret);
    expect(seen, name).not.toContain(secret);
  }
  expect(seen, name).not.toContain("127.0.0.1");
}

describe.each(Object.entries(PROVIDERS))(
  `%s, calling back as it likes (FUZZ_SEED=${seed})`,
  { timeout: ROUNDS * 60_000 + 60_000 },
  (provider, start) => {
    let functions: CallbackFunctions;
    beforeAll(async () => {
      functions = await start();
    });
    afterAll(() => functions?.stop());

    test("ends each job once and right, for any report, repeated and at any time", () =>
      recordAttacking(
        {
          attack: `misbehaviour of ${provider}'s callbacks`,
          rounds: 0,
          unit: "callbacks",
        },
        async (tally) => {
          for (let round = 0; round < ROUNDS; round++) {
            const all = mischief(functions, internal.url, chance(round));
            await Promise.all(
              Object.entries(all).map(([name, each]) =>
                play(functions, name, each, round, tally)
              ),
            );
          }
          expect(internal.hits()).toBe(0);
          const found = await sql`
            select * from public.reconciliation_discrepancies`;
          expect(found).toEqual([]);
        },
      ));
  },
);
