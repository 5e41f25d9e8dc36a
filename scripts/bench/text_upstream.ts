// Run by Deno: a provider of text, in a process of its own. It says as many words as max_tokens, at once;
// below /steady so many a second as STEADY says. Usage: deno run scripts/bench/text_upstream.ts <port>
import { serve } from "../stack/serve.ts";
import { STEADY } from "./text_speed.ts";

const encoder = new TextEncoder();

function event(rest: Record<string, unknown>): Uint8Array {
  const frame = {
    id: "chatcmpl-bench",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "bench",
  };
  return encoder.encode(`data: ${JSON.stringify({ ...frame, ...rest })}\n\n`);
}

const choice = (delta: object, finish_reason: string | null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const WORD = event(choice({ content: "word " }, null));

/** An event a write, as providers send them. */
async function* events(
  words: number,
  isSteady: boolean,
): AsyncGenerator<Uint8Array> {
  const startedAt = performance.now();
  for (let sent = 0; sent < words; sent++) {
    const early = startedAt + sent * 1000 / STEADY - performance.now();
    if (isSteady && early > 0) {
      await new Promise((resolve) => setTimeout(resolve, early));
    }
    yield WORD;
  }
  yield event(choice({}, "stop"));
  const usage = {
    prompt_tokens: 10,
    completion_tokens: words,
    total_tokens: 10 + words,
  };
  yield event({ choices: [], usage });
  yield encoder.encode("data: [DONE]\n\n");
}

serve(async (request) => {
  const isSteady = new URL(request.url).pathname.startsWith("/steady");
  const { max_tokens } = await request.json();
  return new Response(ReadableStream.from(events(max_tokens, isSteady)), {
    headers: { "content-type": "text/event-stream" },
  });
});
