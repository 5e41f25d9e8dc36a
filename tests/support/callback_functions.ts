import { expect } from "vitest";
import { sql } from "./database.ts";
import { type Answer, userHeaders } from "./http.ts";
import {
  FAL_VOICE,
  falEnv,
  type FalServer,
  startFalServer,
} from "./fal_server.ts";
import { CALLBACK_MODEL, FAL_MODEL } from "./models.ts";
import { type OwnFunctions, startOwnFunctions } from "./own_functions.ts";
import {
  type Prediction,
  type ProviderServer,
  REPLICATE_ENV,
  REPLICATE_VOICE,
  startReplicateServer,
  type Voice,
} from "./replicate_server.ts";
import { stack } from "./stack.ts";
import type { TestUser } from "./user.ts";

/** The functions of the shared stack in a process of their own, with a provider that a test tells what to do. */
export interface CallbackFunctions<
  Server extends ProviderServer = ProviderServer,
> extends OwnFunctions {
  readonly provider: Server;
  /** How that provider calls back. */
  readonly voice: Voice;
  /** Asks for a generation, and reads the answer. */
  readonly generate: (
    user: TestUser,
    input?: Record<string, unknown>,
    headers?: Record<string, string>,
  ) => Promise<
    Omit<Answer, "body"> & { readonly body: Record<string, unknown> }
  >;
  /** Has a job submitted; what the provider was given. */
  readonly submit: (
    user: TestUser,
    input: { readonly prompt: string; readonly n?: number },
  ) => Promise<Prediction & { readonly jobId: string }>;
  /** Runs the task that asks providers; how many jobs came to what. */
  readonly runAsks: () => Promise<Record<string, number>>;
  /** Has the task ask about a job, as if nothing had been heard of it for its time. */
  readonly ask: (jobId: string) => Promise<Record<string, number>>;
}

/**
 * Starts the functions, with Replicate as their provider.
 *
 * @param more further variables, which count before others of the same name
 */
export async function startCallbackFunctions(
  more: Record<string, string> = {},
): Promise<CallbackFunctions> {
  const provider = await startReplicateServer();
  const env = {
    ...REPLICATE_ENV,
    REPLICATE_BASE_URL: provider.baseUrl,
    ...more,
  };
  return await startWith(provider, env, REPLICATE_VOICE, CALLBACK_MODEL);
}

/** Starts the functions, with fal as their provider. */
export async function startFalFunctions(): Promise<
  CallbackFunctions<FalServer>
> {
  const provider = await startFalServer();
  return await startWith(provider, falEnv(provider), FAL_VOICE, FAL_MODEL);
}

async function startWith<Server extends ProviderServer>(
  provider: Server,
  env: Record<string, string>,
  voice: Voice,
  model: Record<string, unknown>,
): Promise<CallbackFunctions<Server>> {
  const functions = await startOwnFunctions((base) => ({
    ...env,
    FUNCTIONS_URL: base,
  }));
  const generate: CallbackFunctions["generate"] = async (
    user,
    input = {},
    headers = {},
  ) => {
    const response = await fetch(functions.url("generate"), {
      method: "POST",
      headers: { ...userHeaders(user), ...headers },
      body: JSON.stringify({ ...model, ...input }),
    });
    const text = await response.text();
    const { status, headers: answered } = response;
    return { status, headers: answered, text, body: JSON.parse(text) };
  };
  const runAsks = async () => {
    const response = await fetch(functions.url("tasks/ask-providers"), {
      method: "POST",
      headers: { apikey: stack.secretKey },
    });
    const body = await response.json();
    expect(response.status, JSON.stringify(body)).toBe(200);
    return body;
  };
  return {
    ...functions,
    runAsks,
    ask: async (jobId) => {
      await sql`
        update public.generation_provider_jobs set next_ask_at = now() where job_id = ${jobId}`;
      return await runAsks();
    },
    provider,
    voice,
    generate,
    submit: async (user, input) => {
      const { status, text, body } = await generate(user, input);
      expect(status, text).toBe(202);
      const [prediction] = provider.predictions(input.prompt);
      return { ...prediction!, jobId: String(body.job_id) };
    },
    stop: async () => {
      await functions.stop();
      await provider.close();
    },
  };
}
