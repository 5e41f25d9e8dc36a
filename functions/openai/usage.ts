import { z } from "zod";
import type { TextUsage } from "../_shared/text_database.ts";

const count = z.number().int().min(0).max(100_000_000);
const countIfAny = count.nullish().catch(undefined);

/** A provider's usage in the forms that there are. */
const reportedUsage = z.object({
  prompt_tokens: count,
  completion_tokens: countIfAny,
  total_tokens: countIfAny,
  prompt_tokens_details: z.object({
    cached_tokens: countIfAny,
    cache_write_tokens: countIfAny,
    cache_creation_tokens: countIfAny,
  }).nullish().catch(undefined),
  // DeepSeek's own.
  prompt_cache_hit_tokens: countIfAny,
});

/** A provider's usage; without output_tokens where it does not count them. */
export type ReportedUsage =
  & Omit<TextUsage, "output_tokens">
  & { output_tokens?: number };

/**
 * What a provider says that an answer used.
 *
 * @returns undefined where it says nothing that can be counted by
 */
export function readUsage(value: unknown): ReportedUsage | undefined {
  const { data } = reportedUsage.safeParse(value);
  if (!data) return undefined;
  const { prompt_tokens, completion_tokens, total_tokens } = data;
  // Some count the tokens of reasoning in the total alone.
  const beyond = (total_tokens ?? 0) - prompt_tokens;
  const details = data.prompt_tokens_details;
  const read = details?.cached_tokens ?? data.prompt_cache_hit_tokens ?? 0;
  const written = details?.cache_write_tokens ??
    details?.cache_creation_tokens ?? 0;
  return {
    input_tokens: prompt_tokens,
    output_tokens: typeof completion_tokens === "number" || beyond > 0
      ? Math.max(completion_tokens ?? 0, beyond)
      : undefined,
    cache_read_tokens: Math.min(read, prompt_tokens),
    cache_write_tokens: Math.min(written, Math.max(0, prompt_tokens - read)),
  };
}

/** What some providers ask for an answer, beside the counts. */
const PROVIDERS_PRICE = /cost|byok/;

/** Whether a provider's usage says what it asks for the answer. */
export function namesPrice(usage: unknown): boolean {
  return Object.keys({ ...(usage as Record<string, unknown>) })
    .some((name) => PROVIDERS_PRICE.test(name));
}

/** A provider's usage as the client may see it: what the provider asks for it is neither in credits nor for the client. */
export function withoutPrice(usage: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({ ...(usage as Record<string, unknown>) })
      .filter(([name]) => !PROVIDERS_PRICE.test(name)),
  );
}

/** A usage in OpenAI's form, for a provider that has sent none. */
export function toOpenAiUsage({ input_tokens, output_tokens }: TextUsage) {
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens: input_tokens + output_tokens,
  };
}
