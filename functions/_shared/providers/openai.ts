import type { Environment } from "../settings.ts";
import { createOpenAI } from "@ai-sdk/openai";
import { boundedFetch } from "./bounded_fetch.ts";
import { type Provider, ProviderError } from "./provider.ts";

/**
 * OpenAI's Images and Speech APIs, or any server that speaks them.
 *
 * Without a key every call fails with `invalid_key`, and is refunded.
 *
 * @param environment reads OPENAI_API_KEY, and OPENAI_BASE_URL where it is not OpenAI itself
 */
export function openaiProvider(
  environment: Environment,
): Provider {
  const apiKey = environment("OPENAI_API_KEY");
  if (!apiKey) {
    return { imageModel: refuseWithoutKey, speechModel: refuseWithoutKey };
  }
  return createOpenAI({
    apiKey,
    baseURL: environment("OPENAI_BASE_URL") || undefined,
    fetch: boundedFetch,
  });
}

function refuseWithoutKey(): never {
  throw new ProviderError("invalid_key");
}
