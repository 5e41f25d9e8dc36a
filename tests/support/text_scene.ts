import OpenAI from "openai";
import { sql } from "./database.ts";
import { addModel } from "./models.ts";
import { type OwnFunctions, startOwnFunctions } from "./own_functions.ts";
import { UNHURRIED_PLAN } from "./plans.ts";
import { TEXT_KEY } from "./text_out.ts";
import { startTextUpstream, type TextUpstream } from "./text_upstream.ts";
import { createUser, type TestUser } from "./user.ts";

/** The model of the loopback provider: a credit for a token of the prompt, half for one from a cache, two for one of the answer. */
export const TEXT_MODEL = "test-text";
export const RATES = { input_token: 1, cache_read_token: 0.5, output_token: 2 };
/** Its model of vectors: a credit for a token. */
export const VECTOR_MODEL = "test-vectors";
/** How long it may take in all, in seconds. */
export const TIMEOUT_SECONDS = 4;

/** Functions with a provider of text behind them. */
export interface TextScene {
  readonly upstream: TextUpstream;
  readonly functions: OwnFunctions;
  /** What a client is given, beside a key. */
  readonly baseURL: string;
  readonly stop: () => Promise<void>;
}

/** Starts the provider, and the functions that ask it. */
export async function startTextScene(): Promise<TextScene> {
  const upstream = await startTextUpstream();
  await addModel(sql, TEXT_MODEL, RATES, {
    provider: "loopback",
    provider_model: "upstream-model",
    timeout_seconds: TIMEOUT_SECONDS,
    max_output_tokens: 100_000,
    max_input_tokens: 100_000,
  });
  await addModel(sql, VECTOR_MODEL, { input_token: 1 }, {
    provider: "loopback",
    provider_model: "upstream-vectors",
  });
  const functions = await startOwnFunctions(() => textEnvironment(upstream));
  const stop = async () => {
    await functions.stop();
    await upstream.close();
  };
  return { upstream, functions, baseURL: functions.url("openai/v1"), stop };
}

/** What the functions are told about the provider. */
export function textEnvironment(
  { baseUrl }: TextUpstream,
): Record<string, string> {
  const loopback = { base_url: baseUrl, key: "LOOPBACK_KEY" };
  return {
    TEXT_UPSTREAMS: JSON.stringify({ loopback }),
    LOOPBACK_KEY: TEXT_KEY,
  };
}

/** A user without a rate limit to speak of. */
export function textUser(credits = 100_000): Promise<TestUser> {
  return createUser({ credits, plan: UNHURRIED_PLAN });
}

/** OpenAI's own client, as an app has it. */
export function openAiClient(
  { baseURL }: Pick<TextScene, "baseURL">,
  apiKey: string,
  maxRetries = 0,
): OpenAI {
  return new OpenAI({ baseURL, apiKey, maxRetries });
}

/** An app key of a user's own account. */
export async function appKeyOf(
  { id }: TestUser,
  wish: { cap?: number; models?: string[] } = {},
): Promise<string> {
  const [made] = await sql<{ key: string }[]>`
    select key from public.create_app_key(${id}, ${id}, 'test',
      ${wish.models ?? null}, ${wish.cap ?? null})`;
  return made!.key;
}

/** A job as the tests of text look at it. */
export interface TextJobRow {
  readonly status: string;
  readonly charged: number;
  readonly input: Record<string, unknown>;
  readonly output: Record<string, unknown> | null;
  readonly error: Record<string, unknown> | null;
  /** Whether the function ended it: the sweep waits for its deadline. */
  readonly isInTime: boolean;
}

/** The jobs of a user, the oldest first, as soon as none of them is open. */
export async function endedJobs({ id }: TestUser): Promise<TextJobRow[]> {
  for (let tries = 0; tries < 100; tries++) {
    const rows = await sql<TextJobRow[]>`
      select status, cost - refunded as charged, input, output, error,
        ended_at < deadline_at as "isInTime"
      from public.generation_jobs where account_id = ${id} order by created_at`;
    const isOver = rows.every(({ status }) =>
      !["pending", "running"].includes(status)
    );
    if (isOver) return rows;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("a job has not ended within 10 seconds");
}
