import type { CreditsSupabase } from "./call.ts";
import { CreditsError, fromOpenAi, toCreditsError } from "./error.ts";
import type { Text, TextRequest } from "./types.ts";

/** How a text is asked for. */
export interface TextOptions {
  /** Hears of the text as it grows: all of it so far. */
  onText?: (text: string) => void;
  /** Ends the answer; what has come by then is charged. */
  signal?: AbortSignal;
}

/** The standard model of the price book. */
const STANDARD = "standard-text";

/** An event of the stream, as far as it is read. */
interface Chunk {
  model?: string;
  choices?: {
    delta?: { content?: string | null };
    finish_reason?: string | null;
  }[];
  usage?: { cost?: number } | null;
  error?: Parameters<typeof fromOpenAi>[0];
}

/** Streams an answer by the function `openai`. It is asked for once: a second request would be a second charge. */
export async function streamText(
  { functions }: CreditsSupabase,
  name: string,
  { model = STANDARD, ...request }: TextRequest,
  { onText, signal }: TextOptions = {},
): Promise<Text> {
  signal?.throwIfAborted();
  const { data, error } = await functions.invoke(name, {
    body: {
      ...request,
      model,
      stream: true,
      stream_options: { include_usage: true },
    },
    signal,
  });
  signal?.throwIfAborted();
  if (error) throw await toCreditsError(error);
  const { headers, body } = data as Response;
  const job_id = headers.get("x-credits-job-id");
  const answer: Text = {
    job_id,
    model,
    text: "",
    cost: 0,
    finish_reason: null,
  };
  let isWhole = false;
  try {
    for await (const line of linesOf(body!)) {
      const chunk = chunkOf(line);
      if (chunk?.error) throw fromOpenAi(chunk.error);
      const [choice] = chunk?.choices ?? [];
      answer.finish_reason = choice?.finish_reason ?? answer.finish_reason;
      if (choice?.delta?.content) {
        answer.text += choice.delta.content;
        onText?.(answer.text);
      }
      if (chunk?.usage?.cost === undefined) continue;
      answer.cost = chunk.usage.cost;
      isWhole = true;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof CreditsError ? cause : brokenOff(answer, cause);
  }
  if (!isWhole) throw brokenOff(answer);
  return answer;
}

function brokenOff({ job_id, text }: Text, cause?: unknown): CreditsError {
  return new CreditsError({
    code: "network_error",
    message:
      "The answer broke off. What has come of it is charged: see its job.",
    details: { job_id, text },
    cause,
  });
}

/** What a line of the stream says; nothing where it is a comment, an empty line or the end. */
function chunkOf(line: string): Chunk | undefined {
  const [, data] = /^data: *({.*)/.exec(line) ?? [];
  return data === undefined ? undefined : JSON.parse(data);
}

async function* linesOf(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<string, void, void> {
  // Not every browser goes through a stream by `for await`.
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + decoder.decode(value, { stream: true })).split(
        "\n",
      );
      rest = lines.pop()!;
      yield* lines;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  yield rest;
}
