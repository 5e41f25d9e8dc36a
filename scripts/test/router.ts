import { runVitest } from "./vitest.ts";
import { FILES } from "./router_files.ts";
import type { Step } from "./step.ts";

/** Tests of these files that the router answers otherwise, or cannot be arranged for. */
const NOT_THERE = [
  // They alter a table of the one database.
  "because the job makes no sense is refunded at once",
  "the booking: an error, nothing of the event stays",
  // It locks a table of the one database.
  "says what to do when the database cuts the check off",
  // One row per shard; a label that names it.
  "reads in one row that the books are right",
  "are OpenMetrics for a scraper that prefers it",
];

/** The step that sends the HTTP suite to a router. */
export function routerStep(project: string): Step {
  return {
    name: "HTTP tests on four shards",
    run: () =>
      runVitest(project, {
        form: "short",
        only: FILES,
        env: { TEST_ROUTER: "yes" },
        flags: [
          "--maxWorkers=1",
          `--testNamePattern=^(?!.*(${NOT_THERE.join("|")}))`,
        ],
      }),
  };
}
