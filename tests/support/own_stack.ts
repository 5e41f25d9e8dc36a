import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { vi } from "vitest";
import { type Stack, startStack } from "../../scripts/stack/index.ts";
import type { Clock } from "../../scripts/stack/schedule.ts";
import { fillHome } from "../../scripts/test/template.ts";
import { arrangeDatabase } from "./models.ts";
import { OPENAI_API_KEY, startOpenAiServer } from "./openai_server.ts";

/** A stack of one test's own, any part of which may die. */
export interface OwnStack {
  readonly stack: Stack;
  readonly home: string;
  /** A connection of the schema's owner. */
  readonly sql: Sql;
  readonly stop: () => Promise<void>;
}

/** How a test's own stack differs from others. */
export interface OwnStackOptions {
  /** A folder for it; a temporary one unless told. */
  readonly home?: string;
  /** More variables for the functions. */
  readonly env?: Record<string, string>;
  readonly clock?: Clock;
}

/** Starts a stack with the loopback provider and the models of the tests. */
export async function startOwnStack(
  { home, env, clock }: OwnStackOptions = {},
): Promise<OwnStack> {
  // The Data API prints every error of the database with its stack.
  vi.spyOn(console, "error").mockImplementation(() => {});
  const folder = home ??
    await mkdtemp(join(tmpdir(), "atomic-credits-own-"));
  const openai = await startOpenAiServer();
  await fillHome(folder, "migrated");
  const stack = await startStack({
    project: process.cwd(),
    home: folder,
    port: 0,
    dbPort: 0,
    migrated: true,
    clock,
    env: { OPENAI_API_KEY, OPENAI_BASE_URL: openai.baseUrl, ...env },
  });
  const sql = postgres(stack.database.url(), { max: 3, onnotice: () => {} });
  await arrangeDatabase(sql);
  const stop = async () => {
    await sql.end({ timeout: 1 });
    await stack.stop();
    await openai.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { stack, home: folder, sql, stop };
}

/** Kills the functions of a stack, as a machine that dies does. */
export async function killFunctions({ stack }: OwnStack): Promise<void> {
  process.kill(stack.functions.pid, "SIGKILL");
  await stack.functions.ended;
}

/** A user of a stack. */
export interface OwnUser {
  readonly id: string;
  readonly token: string;
}

/** Signs a user up, through the API. */
export async function signUp(stack: Stack): Promise<OwnUser> {
  const response = await fetch(`${stack.url}/auth/v1/signup`, {
    method: "POST",
    headers: {
      apikey: stack.keys.publishable,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      email: `${randomUUID()}@example.com`,
      password: "correct horse battery staple",
    }),
  });
  const { access_token, user } = await response.json();
  return { id: user.id, token: access_token };
}

/** Asks a stack, or another process of its functions, for a generation. */
export function generateOn(
  stack: Pick<Stack, "url" | "keys">,
  { token }: OwnUser,
  input: Record<string, unknown>,
  key: string = randomUUID(),
): Promise<Response> {
  return fetch(`${stack.url}/functions/v1/generate`, {
    method: "POST",
    headers: {
      apikey: stack.keys.publishable,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": key,
    },
    body: JSON.stringify(input),
  });
}
