import { Problem } from "../_shared/problem.ts";

/**
 * The fields of a chat request that go on to the provider, as they came. None of them chooses a
 * model, a tier, an address, a key or a tool that the provider runs: the client must not choose what we pay.
 */
export const CHAT_FIELDS = [
  "messages",
  "stream",
  "n",
  "stop",
  "seed",
  "user",
  "temperature",
  "top_p",
  "presence_penalty",
  "frequency_penalty",
  "logit_bias",
  "logprobs",
  "top_logprobs",
  "response_format",
  "reasoning_effort",
  "verbosity",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "functions",
  "function_call",
];

/** What we read and write anew ourselves. */
const CHAT_OWN_FIELDS = [
  "model",
  "max_tokens",
  "max_completion_tokens",
  "stream_options",
];

/** The fields of an embedding request that go on to the provider. */
export const EMBEDDING_FIELDS = [
  "input",
  "dimensions",
  "encoding_format",
  "user",
];

/** The fields of a request for pictures that `generate` knows. */
export const IMAGE_FIELDS = [
  "model",
  "prompt",
  "n",
  "size",
  "response_format",
  "user",
];

/** The fields of a request for speech that `generate` knows. */
export const SPEECH_FIELDS = [
  "model",
  "input",
  "voice",
  "response_format",
  "user",
];

/**
 * The fields of a body that go on, unchanged.
 *
 * @throws {Problem} 400 `unsupported_parameter` for a field that is not on the list
 */
export function passedFields(
  body: Record<string, unknown>,
  passing: readonly string[],
  own: readonly string[] = CHAT_OWN_FIELDS,
): Record<string, unknown> {
  for (const name of Object.keys(body)) {
    if (!passing.includes(name) && !own.includes(name)) {
      throw unsupported(name);
    }
  }
  return Object.fromEntries(
    Object.entries(body).filter(([name, value]) =>
      passing.includes(name) && value !== null
    ),
  );
}

/** A 400 that names the parameter which does not pass. */
export function unsupported(param: string, why?: string): Problem {
  const short = param.slice(0, 100);
  return new Problem(
    "unsupported_parameter",
    `The parameter ${short} ${why ?? "is not supported here"}.`,
    { members: { param: short } },
  );
}
