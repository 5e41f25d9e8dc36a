import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import { startStack } from "../../scripts/stack/index.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { arrangeDatabase } from "./models.ts";
import { OPENAI_API_KEY, startOpenAiServer } from "./openai_server.ts";
import { REPLICATE_ENV } from "./replicate_server.ts";
import { DELIVERY_SECRET, WEBHOOK_SECRET } from "./webhook_receiver.ts";

/** Starts the stack that all test files talk to; returns what stops it. */
export default async function setUp(
  project: TestProject,
): Promise<() => Promise<void>> {
  endInOrder(project);
  keepRefusalsQuiet();
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-vitest-"));
  const openai = await startOpenAiServer();
  const webhookPort = await freePort();
  const stack = await startStack({
    project: project.config.root,
    home,
    port: 0,
    dbPort: 0,
    env: {
      OPENAI_API_KEY,
      OPENAI_BASE_URL: openai.baseUrl,
      WEBHOOK_URL: `http://127.0.0.1:${webhookPort}/events`,
      WEBHOOK_SECRET,
      ALERTS_SLACK_URL: `http://127.0.0.1:${webhookPort}/slack`,
      DELIVERY_SECRET,
      ...REPLICATE_ENV,
      // Nobody listens there: what has such a job for the provider brings its own.
      REPLICATE_BASE_URL: "http://127.0.0.1:9/v1",
    },
  });
  const sql = postgres(stack.database.url(), { max: 1 });
  await arrangeDatabase(sql).finally(() => sql.end());
  project.provide("stack", {
    url: stack.url,
    publishableKey: stack.keys.publishable,
    secretKey: stack.keys.secret,
    jwtSecret: stack.keys.jwtSecret,
    databaseUrl: stack.database.url(),
    superuserUrl: stack.database.url("supabase_admin"),
    webhookPort,
  });
  return async () => {
    await stack.stop();
    await openai.close();
    await rm(home, { recursive: true, force: true });
  };
}

/** The Data API prints each error with its stack; tests provoke them by the hundred, and check the answers. */
function keepRefusalsQuiet(): void {
  const print = console.error;
  console.error = (...values: unknown[]) => {
    const [error] = values;
    const stack = error instanceof Error ? error.stack ?? "" : "";
    if (!/node_modules.(postgres|@supabase.lite)\b/.test(stack)) {
      print(...values);
    }
  };
}

/**
 * Vitest's own handlers end the process within a millisecond of a signal, and
 * the database would stay. In their place: the test at hand ends, then
 * everything that was set up. A second signal ends at once.
 */
function endInOrder({ vitest }: TestProject): void {
  const cancel = () => void vitest.cancelCurrentRun("keyboard-input");
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.removeAllListeners(signal);
    process.once(signal, cancel);
  }
}
