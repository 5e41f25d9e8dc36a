import { stack } from "./stack.ts";
import type { TestUser } from "./user.ts";

/** The members of a problem document that tests look at. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly request_id: string;
  readonly [extension: string]: unknown;
}

/** An answer whose body has been read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is not JSON. */
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** The URL of an edge function, with an optional path below it. */
export function functionUrl(path: string): string {
  return `${stack.url}/functions/v1/${path}`;
}

/** Sends a request to an edge function and reads the whole answer. */
export async function callFunction(
  path: string,
  init: RequestInit = {},
): Promise<Answer> {
  const response = await fetch(functionUrl(path), init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: parseJson(text),
  };
}

/** The headers of a request that a user makes. */
export function userHeaders(
  user: Pick<TestUser, "token">,
): Record<string, string> {
  return {
    apikey: stack.publishableKey,
    authorization: `Bearer ${user.token}`,
    "content-type": "application/json",
  };
}

/** A small picture of the model that needs no provider outside. */
export const SMALL_IMAGE = {
  model: "standard-image",
  prompt: "a lighthouse at dusk",
  width: 64,
  height: 64,
} as const;

/** Asks for a generation; `input` replaces fields of a small picture. */
export function generate(
  user: Pick<TestUser, "token">,
  input: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  return callFunction("generate", {
    method: "POST",
    headers: { ...userHeaders(user), ...headers },
    body: JSON.stringify({ ...SMALL_IMAGE, ...input }),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
