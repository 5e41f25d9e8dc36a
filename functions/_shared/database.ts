import { retry } from "@std/async/retry";
import { createAdminClient, createContextClient } from "@supabase/server/core";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";
import type { Database } from "../../supabase/database.types.ts";
import { DatabaseError, dataOf, type Query } from "./database_error.ts";
import { logEvent } from "./log.ts";
import { invalidRequest } from "./problem.ts";
import { currentProject } from "./project.ts";

export { DatabaseError, type Query } from "./database_error.ts";

/** Longest that one statement may take, in milliseconds, where a user waits for it. */
const STATEMENT_TIMEOUT_MS = 15_000;

/** Longest that a check of all the books may take: a little more than the 60 seconds that the Data API gives at most. */
export const CHECK_TIMEOUT_MS = 65_000;

/**
 * A client that may do everything: only for the functions that move credits, and for operators.
 *
 * @param timeoutMs longest that one statement may take
 */
export function serviceClient(
  timeoutMs = STATEMENT_TIMEOUT_MS,
): SupabaseClient<Database> {
  return createAdminClient({
    env: currentProject(),
    supabaseOptions: clientOptions(timeoutMs),
  });
}

/** A client that sees what this user may see (RLS). */
export function userClient(token: string): SupabaseClient<Database> {
  return createContextClient({
    auth: { token },
    env: currentProject(),
    supabaseOptions: clientOptions(STATEMENT_TIMEOUT_MS),
  });
}

/**
 * Sends a query and checks what comes back.
 *
 * @throws {DatabaseError} where the database refuses it or cannot be reached.
 */
export async function run<T>(query: Query, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(await dataOf(query));
}

/**
 * Repeats a call for as long as the database cannot be reached, with a growing pause.
 * Only for calls that can be repeated: a function of SQL that is idempotent.
 *
 * @param attempts how often to try in all
 * @throws {DatabaseError} of the last attempt
 */
export function repeatWhileUnavailable<T>(
  call: () => Promise<T>,
  attempts: number,
): Promise<T> {
  return repeatWhile(isUnavailable, call, attempts);
}

/**
 * Repeats a call for as long as its error may pass, with a growing pause.
 *
 * @throws the error of the last attempt
 */
export async function repeatWhile<T>(
  isPassing: (error: unknown) => boolean,
  call: () => Promise<T>,
  attempts: number,
): Promise<T> {
  let last: unknown;
  const remember = async () => {
    try {
      return await call();
    } catch (error) {
      last = error;
      throw error;
    }
  };
  try {
    return await retry(remember, {
      maxAttempts: attempts,
      minTimeout: 200,
      maxTimeout: 4_000,
      isRetriable: isPassing,
    });
  } catch {
    throw last;
  }
}

/** Whether an error says that the database could not be reached. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof DatabaseError && error.isUnavailable;
}

function clientOptions(timeoutMs: number) {
  return {
    global: {
      fetch: (input: RequestInfo | URL, init: RequestInit = {}) =>
        fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) }),
    },
  };
}

/**
 * For `catch` on what carries a caller's values: the schemas let one through that
 * Postgres cannot take (SQLSTATE class 22), which is the request's fault, not ours.
 *
 * @throws {Problem} 400 `invalid_request` for such a value; else the error itself.
 */
export function explainRefusedValue(error: unknown): never {
  if (!(error instanceof DatabaseError && error.sqlState.startsWith("22"))) {
    throw error;
  }
  logEvent("warn", "value_refused", { sql_state: error.sqlState });
  const message = "has a value that the database cannot take";
  throw invalidRequest(`The request ${message}.`, [
    { field: "request", message },
  ]);
}
