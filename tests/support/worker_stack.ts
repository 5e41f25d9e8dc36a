import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../scripts/stack/index.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { THROW_AWAY } from "../../scripts/test/database.ts";
import { fillHome } from "../../scripts/test/template.ts";
import { arrangeDatabase } from "./models.ts";
import { OPENAI_API_KEY, startOpenAiServer } from "./openai_server.ts";
import { REPLICATE_ENV } from "./replicate_server.ts";
import type { TestStack } from "./stack.ts";
import { DELIVERY_SECRET, WEBHOOK_SECRET } from "./webhook_receiver.ts";

/** A stack that serves the files of one worker. */
export interface WorkerStack {
  readonly details: TestStack;
  readonly stop: () => Promise<void>;
}

/** Starts a stack on a copy of the migrated template, with everything configured that a function can be told. */
export async function startWorkerStack(project: string): Promise<WorkerStack> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-vitest-"));
  await fillHome(home, "migrated");
  const openai = await startOpenAiServer();
  const webhookPort = await freePort();
  const stack = await startStack({
    project,
    home,
    port: 0,
    dbPort: 0,
    migrated: true,
    settings: THROW_AWAY,
    env: functionsEnvironment(
      openai.baseUrl,
      `http://127.0.0.1:${webhookPort}`,
    ),
  });
  const databaseUrl = stack.database.url();
  await arrange(databaseUrl);
  const details = {
    url: stack.url,
    publishableKey: stack.keys.publishable,
    secretKey: stack.keys.secret,
    jwtSecret: stack.keys.jwtSecret,
    databaseUrl,
    superuserUrl: stack.database.url("supabase_admin"),
    webhookPort,
  };
  const stop = async () => {
    await stack.stop();
    await openai.close();
    await rm(home, { recursive: true, force: true });
  };
  return { details, stop };
}

/** The variables of docs/configuration.md. A test that changes one does so in a process of its own. */
export function functionsEnvironment(
  openaiBaseUrl: string,
  webhookOrigin: string,
): Record<string, string> {
  return {
    OPENAI_API_KEY,
    OPENAI_BASE_URL: openaiBaseUrl,
    WEBHOOK_URL: `${webhookOrigin}/events`,
    WEBHOOK_SECRET,
    ALERTS_SLACK_URL: `${webhookOrigin}/slack`,
    DELIVERY_SECRET,
    ...REPLICATE_ENV,
    // Nobody listens there: what has such a job for the provider brings its own.
    REPLICATE_BASE_URL: "http://127.0.0.1:9/v1",
  };
}

async function arrange(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 });
  await arrangeDatabase(sql).finally(() => sql.end());
}
