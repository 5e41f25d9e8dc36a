import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { operation } from "./support/ledger_operations.ts";
import { closeRuns, openRuns, Run } from "./support/ledger_run.ts";

// Random sequences of every operation, over several connections, against a small
// model in memory. A failing seed is printed; FC_SEED=<seed> runs it again.
const SEQUENCES = Number(process.env.SEQUENCES ?? 2000);

beforeAll(openRuns);
afterAll(closeRuns);

test("every sequence of operations does what the model does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 1, maxLength: 14 }),
      async (steps) => {
        const run = new Run();
        await run.open();
        for (const step of steps) {
          await run.apply(step);
          await run.check();
        }
        await run.checkAtEnd();
      },
    ),
    {
      numRuns: SEQUENCES,
      ...(process.env.FC_SEED && { seed: Number(process.env.FC_SEED) }),
    },
  );
  expect(await sql`select * from public.reconciliation_discrepancies`).toEqual(
    [],
  );
}, 600_000);
