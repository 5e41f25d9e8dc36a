import { startFunctions } from "../../scripts/stack/functions.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { stack } from "./stack.ts";

/** The functions of the shared stack in a process of their own. */
export interface OwnFunctions {
  readonly url: (path: string) => string;
  /** What the functions have logged. */
  readonly logged: string[];
  readonly stop: () => Promise<void>;
}

/** Starts the functions; `environment` tells their further variables by where they will be. */
export async function startOwnFunctions(
  environment: (base: string) => Record<string, string>,
): Promise<OwnFunctions> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}/functions/v1`;
  const logged: string[] = [];
  const { publishableKey, secretKey, jwtSecret, databaseUrl } = stack;
  const functions = await startFunctions({
    project: process.cwd(),
    port,
    databaseUrl,
    supabaseUrl: stack.url,
    keys: { publishable: publishableKey, secret: secretKey, jwtSecret },
    log: (line) => logged.push(line),
    env: environment(base),
  });
  return { url: (path) => `${base}/${path}`, logged, stop: functions.stop };
}
