import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import type { TestDatabase } from "../scripts/test/database.ts";
import { rounds } from "./support/adversity.ts";
import { expectHistory } from "./support/ledger_history.ts";
import { Lane, startLedgerServer } from "./support/ledger_lane.ts";
import { anyStep, stock } from "./support/ledger_operations.ts";

// Random sequences of every operation, over several connections, alone and two at
// once, against a small model in memory. A failure prints the FC_SEED and FC_PATH
// that run it again.
const SEQUENCES = Number(process.env.SEQUENCES ?? rounds(600, 2000, 1000));
const { FC_SEED, FC_PATH } = process.env;
const SEED = Number(FC_SEED ?? Date.now() % 1e9);
/** Each with connections and databases of its own; a replay needs one. */
const LANES = FC_PATH ? 1 : 2;
/** How two calls meet is Postgres' own affair: a replay lets them meet more often. */
const REPETITIONS = FC_PATH ? 25 : 1;
const SHRINKING_MILLISECONDS = 60_000;

const TASKS = ["sweep", "expire", "refill", "announce"] as const;

const sequence = fc.record({
  stock,
  steps: fc.array(anyStep, { minLength: 1, maxLength: 16, size: "max" }),
  cuts: fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), {
    minLength: 1,
    maxLength: 2,
  }),
});

type Sequence = typeof sequence extends fc.Arbitrary<infer T> ? T : never;

let server: TestDatabase;
beforeAll(async () => {
  server = await startLedgerServer();
});
afterAll(() => server.stop());

/** Does the steps, then lets the tasks book what is left, and asks for its history. */
async function runSequence(
  lane: Lane,
  { stock, steps, cuts }: Sequence,
): Promise<void> {
  const run = await lane.open();
  await run.alone(stock);
  for (const step of steps) await run.step(step);
  for (const type of TASKS) await run.alone({ type });
  await expectHistory(run, cuts);
  lane.leave();
}

/** How to see a failure again. It is said at once: to make the sequence small takes a while. */
function replay(seed: number, path: string): string {
  return `Replay: FC_SEED=${seed} FC_PATH=${path} npx vitest run tests/ledger_model.test.ts`;
}

async function runLane(index: number): Promise<void> {
  const lane = new Lane(server, String(index));
  const seed = SEED + index;
  let begun = -1;
  let failedAt: number | undefined;
  const details = await fc.check(
    fc.asyncProperty(sequence, async (given) => {
      // To make a failure small takes long where two calls have to meet.
      if (failedAt && Date.now() > failedAt + SHRINKING_MILLISECONDS) return;
      if (!failedAt) begun++;
      for (let time = 0; time < REPETITIONS; time++) {
        await runSequence(lane, given).catch((error) => {
          if (!failedAt) {
            console.error(replay(seed, FC_PATH ?? String(begun)));
          }
          failedAt ??= Date.now();
          throw error;
        });
      }
    }),
    {
      seed,
      numRuns: FC_PATH ? 1 : Math.ceil(SEQUENCES / LANES),
      ...FC_PATH && { path: FC_PATH },
    },
  );
  if (details.failed) {
    const path = details.counterexamplePath ?? "";
    throw new Error(
      `${await fc.asyncDefaultReportMessage(details)}\n${replay(seed, path)}`,
      { cause: details.errorInstance },
    );
  }
  await lane.close();
}

test("every sequence of operations does what the model does", async () => {
  const lanes = await Promise.allSettled(
    Array.from({ length: LANES }, (_, index) => runLane(index)),
  );
  // Only when the other lane has ended, too, may the server go.
  const failure = lanes.find((lane) => lane.status === "rejected");
  if (failure) throw failure.reason;
}, 600_000);
