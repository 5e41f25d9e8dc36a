import {
  type Functions,
  type FunctionsOptions,
  startFunctions,
} from "../../scripts/stack/functions.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { stack } from "./stack.ts";

/** Starts the functions of the shared stack once more, in a process of their own, with what is told about them. */
export async function startSharedFunctions(
  options: Partial<FunctionsOptions> = {},
): Promise<Functions> {
  const { publishableKey, secretKey, jwtSecret, url, databaseUrl } = stack;
  return await startFunctions({
    project: process.cwd(),
    port: options.port ?? await freePort(),
    supabaseUrl: url,
    databaseUrl,
    keys: { publishable: publishableKey, secret: secretKey, jwtSecret },
    log: () => {},
    ...options,
  });
}
