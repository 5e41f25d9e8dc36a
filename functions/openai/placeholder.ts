import type { Upstream } from "./upstreams.ts";

const WORDS =
  ("the ledger counts each word that it sells and books the rest back to its owner while " +
    "a lighthouse turns over quiet water and nobody pays for what never came")
    .split(" ");
const WORDS_AN_ANSWER = 40;
const MILLISECONDS_A_WORD = 15;

/** What the placeholder reads of a request: the functions have checked it. */
interface PlaceholderRequest {
  messages?: { content?: unknown }[];
  input?: unknown;
  n?: number;
  stream?: boolean;
  max_tokens?: number;
  dimensions?: number;
}

/** Answers without a key: the same prompt gives the same words. A token is a word, in the prompt and in the answer. */
export const placeholderUpstream: Upstream = {
  capField: "max_tokens",
  takesStreamOptions: true,
  send: async (path, body, signal) => {
    const request = body as PlaceholderRequest;
    return path === "embeddings"
      ? await embeddings(request)
      : await completion(request, signal);
  },
};

async function completion(
  request: PlaceholderRequest,
  signal: AbortSignal,
): Promise<Response> {
  const prompt = JSON.stringify(request.messages);
  const digest = await digestOf(prompt);
  const wanted = Math.min(
    request.max_tokens ?? WORDS_AN_ANSWER,
    WORDS_AN_ANSWER,
  );
  const start = digest[0]!;
  const words = Array.from(
    { length: wanted },
    (_, at) => WORDS[(start + at) % WORDS.length]!,
  );
  const isCut = wanted < WORDS_AN_ANSWER;
  const n = request.n ?? 1;
  const answer: Answer = {
    id: `chatcmpl-${[...digest.subarray(0, 8)].map(toHex).join("")}`,
    words,
    n,
    finishReason: isCut ? "length" : "stop",
    usage: usageOf(wordsIn(request.messages), words.length * n),
  };
  if (request.stream) return streamed(answer, signal);
  return Response.json({
    ...frame(answer, "chat.completion"),
    choices: choicesOf(answer, {
      message: { role: "assistant", content: words.join(" ") },
      finish_reason: answer.finishReason,
    }),
    usage: answer.usage,
  });
}

interface Answer {
  id: string;
  words: string[];
  n: number;
  finishReason: string;
  usage: ReturnType<typeof usageOf>;
}

function frame({ id }: Answer, object: string) {
  const created = Math.floor(Date.now() / 1000);
  return { id, object, created, model: "placeholder" };
}

function choicesOf({ n }: Answer, choice: Record<string, unknown>) {
  return Array.from({ length: n }, (_, index) => ({ index, ...choice }));
}

function streamed(answer: Answer, signal: AbortSignal): Response {
  const encoder = new TextEncoder();
  const chunk = (rest: Record<string, unknown>) =>
    encoder.encode(
      `data: ${
        JSON.stringify({ ...frame(answer, "chat.completion.chunk"), ...rest })
      }\n\n`,
    );
  async function* events() {
    for (const [at, word] of answer.words.entries()) {
      const delta = at === 0
        ? { role: "assistant", content: word }
        : { content: ` ${word}` };
      yield chunk({
        choices: choicesOf(answer, { delta, finish_reason: null }),
      });
      await new Promise((resolve) => setTimeout(resolve, MILLISECONDS_A_WORD));
      signal.throwIfAborted();
    }
    const finish_reason = answer.finishReason;
    yield chunk({ choices: choicesOf(answer, { delta: {}, finish_reason }) });
    yield chunk({ choices: [], usage: answer.usage });
    yield encoder.encode("data: [DONE]\n\n");
  }
  return new Response(ReadableStream.from(events()), {
    headers: { "content-type": "text/event-stream" },
  });
}

async function embeddings(
  { input, dimensions = 8 }: PlaceholderRequest,
): Promise<Response> {
  const texts = [input].flat().map((text) => JSON.stringify(text));
  const data = await Promise.all(texts.map(async (text, index) => {
    const digest = await digestOf(text);
    const embedding = Array.from(
      { length: dimensions },
      (_, at) => digest[at % digest.length]! / 255,
    );
    return { object: "embedding", index, embedding };
  }));
  const prompt_tokens = wordsIn(input);
  return Response.json({
    object: "list",
    data,
    model: "placeholder",
    usage: { prompt_tokens, total_tokens: prompt_tokens },
  });
}

function usageOf(prompt_tokens: number, completion_tokens: number) {
  const total_tokens = prompt_tokens + completion_tokens;
  return { prompt_tokens, completion_tokens, total_tokens };
}

/** Words in the texts of a value, at least one. */
function wordsIn(value: unknown): number {
  const texts = JSON.stringify(value).match(/[\p{L}\p{N}]+/gu) ?? [];
  return Math.max(1, texts.length);
}

async function digestOf(text: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function toHex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
