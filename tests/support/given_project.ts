import postgres from "postgres";
import { arrangeDatabase } from "./models.ts";
import { startOpenAiServer } from "./openai_server.ts";
import { functionsEnvironment, type WorkerStack } from "./worker_stack.ts";

/** Variables that name a running project, for instance one that `supabase start` has made. */
const VARIABLES = {
  url: "TEST_PROJECT_URL",
  publishableKey: "TEST_PROJECT_PUBLISHABLE_KEY",
  secretKey: "TEST_PROJECT_SECRET_KEY",
  jwtSecret: "TEST_PROJECT_JWT_SECRET",
  databaseUrl: "TEST_PROJECT_DB_URL",
  superuserUrl: "TEST_PROJECT_SUPERUSER_URL",
} as const;

/** Where the tests listen for a project's functions, which were told before the tests began. */
const OPENAI_PORT = 54401;
const WEBHOOK_PORT = 54402;

/** What a project's functions must be told; `host` is where they reach this machine. */
export function givenFunctionsEnvironment(
  host: string,
): Record<string, string> {
  return functionsEnvironment(
    `http://${host}:${OPENAI_PORT}/v1`,
    `http://${host}:${WEBHOOK_PORT}`,
  );
}

/**
 * The project that the environment names, in place of stacks of our own: the
 * same tests then speak with the real Data API, Auth and edge runtime. One
 * worker alone may use it (`--maxWorkers 1`), and its functions must have been
 * told what tests/support/print_given_environment.ts prints.
 *
 * @returns undefined where the environment names none
 * @throws where it names one by half
 */
export async function arrangeGivenProject(
  env: Record<string, string | undefined>,
): Promise<WorkerStack | undefined> {
  if (!env.TEST_PROJECT_URL) return undefined;
  const value = (name: string) => {
    const found = env[name];
    if (found) return found;
    throw new Error(`${name} is missing: set it with TEST_PROJECT_URL.`);
  };
  const named = Object.fromEntries(
    Object.entries(VARIABLES).map(([field, name]) => [field, value(name)]),
  ) as Record<keyof typeof VARIABLES, string>;
  const openai = await startOpenAiServer(OPENAI_PORT);
  const sql = postgres(named.databaseUrl, { max: 1 });
  await arrangeDatabase(sql).finally(() => sql.end());
  return {
    details: { ...named, webhookPort: WEBHOOK_PORT },
    stop: openai.close,
  };
}
