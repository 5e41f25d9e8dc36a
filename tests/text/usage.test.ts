import { describe, expect, test } from "vitest";
import { StreamReader } from "../../functions/openai/stream_reader.ts";
import { readUsage } from "../../functions/openai/usage.ts";

const counts = { prompt_tokens: 100, completion_tokens: 30, total_tokens: 130 };
const counted = {
  input_tokens: 100,
  output_tokens: 30,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
};

/** As docs/text.md tells it of each provider. */
describe("a usage is read in the form of", () => {
  test.each<[string, Record<string, unknown>, Record<string, number>]>([
    ["openai: thoughts are part of the output", {
      ...counts,
      prompt_tokens_details: { cached_tokens: 64, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 20 },
    }, { cache_read_tokens: 64 }],
    ["openrouter: with what was written to a cache", {
      ...counts,
      cost: 0.0012,
      prompt_tokens_details: { cached_tokens: 64, cache_write_tokens: 16 },
    }, { cache_read_tokens: 64, cache_write_tokens: 16 }],
    ["mistral, anthropic: the counts alone", counts, {}],
    ["deepseek: a field of its own for the cache", {
      ...counts,
      prompt_cache_hit_tokens: 64,
      prompt_cache_miss_tokens: 36,
    }, { cache_read_tokens: 64 }],
    ["xai, gemini: thoughts are in the total alone", {
      ...counts,
      total_tokens: 430,
      completion_tokens_details: { reasoning_tokens: 300 },
    }, { output_tokens: 330 }],
    ["gemini: nothing but thoughts", {
      prompt_tokens: 100,
      completion_tokens: 0,
      total_tokens: 160,
    }, { output_tokens: 60 }],
  ])("%s", (_, usage, differing) => {
    expect(readUsage(usage)).toEqual({ ...counted, ...differing });
  });

  test("groq: in x_groq, with the last words", () => {
    const reader = new StreamReader();
    const chunk = {
      choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
      x_groq: { id: "req", usage: { ...counts, queue_time: 0.02 } },
    };
    reader.take(new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\n\n`));
    expect(reader.usage).toEqual(counted);
  });
});

test("a usage never has more of a cache than of the prompt", () => {
  const details = { cached_tokens: 90, cache_write_tokens: 90 };
  expect(readUsage({ ...counts, prompt_tokens_details: details }))
    .toMatchObject({ cache_read_tokens: 90, cache_write_tokens: 10 });
});

test.each([
  [null],
  ["130"],
  [{ total_tokens: 130 }],
  [{ prompt_tokens: -1 }],
  [{ prompt_tokens: 1e12 }],
])("%j is no usage", (usage) => {
  expect(readUsage(usage)).toBeUndefined();
});
