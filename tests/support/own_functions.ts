import { freePort } from "../../scripts/stack/port.ts";
import { startSharedFunctions } from "./shared_functions.ts";

/** The functions of the shared stack in a process of their own. */
export interface OwnFunctions {
  readonly url: (path: string) => string;
  /** What the functions have logged. */
  readonly logged: string[];
  /** Process id, to measure it. */
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Starts the functions; `environment` tells their further variables by where they will be. */
export async function startOwnFunctions(
  environment: (base: string) => Record<string, string>,
): Promise<OwnFunctions> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}/functions/v1`;
  const logged: string[] = [];
  const { stop, pid } = await startSharedFunctions({
    port,
    log: (line) => logged.push(line),
    env: environment(base),
  });
  return { url: (path) => `${base}/${path}`, logged, pid, stop };
}
