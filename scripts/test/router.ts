import { runVitest } from "./vitest.ts";
import type { Step } from "./step.ts";

/**
 * HTTP tests that run on a router of four shards as they do on one database. Others hold locks or change tables behind
 * the functions, which only one database has, or are about parts that no shard touches.
 */
const FILES: readonly string[] = [
  "tests/shards/outage_over_http.ts",
  "tests/app_keys.test.ts",
  "tests/authentication.test.ts",
  "tests/credits.test.ts",
  "tests/deliver_events.test.ts",
  "tests/generate.test.ts",
  "tests/jobs.test.ts",
  "tests/keys.test.ts",
  "tests/metrics.test.ts",
  "tests/openapi_generations.test.ts",
  "tests/operator_reads.test.ts",
  "tests/output_deleted.test.ts",
  "tests/output_erasure.test.ts",
  "tests/outputs.test.ts",
  "tests/payment_events.test.ts",
  "tests/payment_events_refused.test.ts",
  "tests/payments_checkout.test.ts",
  "tests/payments_read.test.ts",
  "tests/payments_subscriptions.test.ts",
  "tests/provider_webhook.test.ts",
  "tests/reconcile.test.ts",
  "tests/request_trail.test.ts",
  "tests/server_requests.test.ts",
  "tests/statement.test.ts",
  "tests/storage_policies.test.ts",
  "tests/supabase_js.test.ts",
  "tests/tasks.test.ts",
  "tests/teams.test.ts",
  "tests/text/endings.test.ts",
  "tests/text/kept.test.ts",
  "tests/text/requests.test.ts",
  "tests/uploads.test.ts",
  "tests/video.test.ts",
];

/** Tests of these files that the router answers otherwise, or cannot be arranged for. */
const LEFT_OUT = [
  // They alter a table of the one database.
  "because the job makes no sense is refunded at once",
  "the booking: an error, nothing of the event stays",
  // It locks a table of the one database.
  "says what to do when the database cuts the check off",
  // A task opens the account on its shard.
  "opens an account with the sign-up grant",
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
          `--testNamePattern=^(?!.*(${LEFT_OUT.join("|")}))`,
        ],
      }),
  };
}
