import { createGzip } from "node:zlib";
import {
  ANSWER,
  completion,
  MANY_WORDS,
  Out,
  type Received,
  sendJson,
  TEXT_KEY,
  USAGE,
} from "./text_out.ts";

/** How an answer goes on: it is told by the request's last message, as `do <name>`. */
export type Ending = (
  stream: Out,
  body: Received["body"],
) => void | Promise<void>;

const TOOL_CALL = {
  index: 0,
  id: "call_1",
  type: "function",
  function: { name: "get_weather", arguments: '{"city":"Kiel"}' },
};

/** As OpenRouter and xAI have it. */
const PRICED_USAGE = {
  ...USAGE,
  cost: 0.0123,
  cost_details: { upstream_inference_cost: 0.0123 },
  cost_in_usd_ticks: 123_000_000,
  is_byok: false,
};

const refuse = (
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Ending =>
({ response }) =>
  sendJson(response, status, {
    error: { message: `No, not with ${TEXT_KEY}.`, type: code, code },
  }, headers);

/** Endless words, one every so many milliseconds, until the caller hangs up. */
function drip(out: Out, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => out.word("drop "), milliseconds);
    out.response.once("close", () => {
      clearInterval(timer);
      resolve();
    });
  });
}

/** Thinks, says its words one after the other, and tells only at the end what it thought: 100 tokens. */
async function think(out: Out): Promise<void> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  for (const word of ANSWER) {
    await pause();
    out.word(word);
  }
  await pause();
  out.stop();
  out.usage({
    prompt_tokens: 20,
    completion_tokens: 105,
    total_tokens: 125,
    completion_tokens_details: { reasoning_tokens: 100 },
  });
  out.end();
}

/** What the provider can do, by name. */
export const ENDINGS: Record<string, Ending> = {
  usual: (out) => out.isStream ? out.usual(USAGE) : completion(out),
  no_usage: (out) => out.isStream ? out.usual() : completion(out, {}),
  zero_usage: (out) =>
    out.usual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }),
  half_usage: (out) => out.usual({ prompt_tokens: 20 }),
  odd_usage: (out) => out.usual({ prompt_tokens: 20, completion_tokens: "5" }),
  priced_usage: (out) =>
    out.isStream ? out.usual(PRICED_USAGE) : completion(out, PRICED_USAGE),
  early_priced_usage: (out) => {
    out.begin();
    out.words();
    out.stop("stop", { usage: PRICED_USAGE });
    out.end();
  },
  odd_reason: (out) => {
    out.begin();
    out.words();
    out.stop("\0");
    out.usage();
    out.end();
  },
  odd_text: ({ response, body }) =>
    sendJson(response, 200, {
      object: "chat.completion",
      model: body.model,
      choices: [{
        index: 0,
        message: { role: "assistant", content: "a\0b" },
        finish_reason: "stop",
      }],
      usage: USAGE,
    }),
  parts_cut: (out) => {
    out.begin();
    for (const text of ANSWER) {
      const thinking = [{ type: "text", text }];
      const content = [{ type: "thinking", thinking }, { type: "text", text }];
      out.write({ choices: [{ index: 0, delta: { content } }] });
    }
    setTimeout(() => out.response.socket?.destroy(), 50);
  },
  reasoning_cut: (out) => {
    out.begin();
    const delta = { reasoning_content: "", reasoning: "the lamp is lit." };
    out.write({ choices: [{ index: 0, delta }] });
    setTimeout(() => out.response.socket?.destroy(), 50);
  },
  spaces_cut: (out) => {
    out.begin();
    out.word("\u2003".repeat(4_000));
    setTimeout(() => out.response.socket?.destroy(), 50);
  },
  flood: (out) => {
    out.begin();
    const timer = setInterval(() => {
      if (!out.response.writableNeedDrain) out.word("x".repeat(65_536));
    }, 2);
    out.response.once("close", () => clearInterval(timer));
  },
  /** The usual answer, once the test says so. */
  held: async (out) => {
    await new Promise<void>((resolve) => out.seen.letGo = resolve);
    return out.isStream ? out.usual(USAGE) : completion(out);
  },
  late_usage: async (out) => {
    out.begin();
    out.words();
    out.stop();
    await new Promise((resolve) => setTimeout(resolve, 300));
    out.usage({ prompt_tokens: 20, completion_tokens: 105, total_tokens: 125 });
    out.end();
  },
  early_usage: (out) => {
    out.begin();
    out.words();
    out.stop("stop", { usage: USAGE });
    out.write({ choices: [{ index: 0, delta: {}, finish_reason: null }] });
    out.end();
  },
  much_usage: (out) =>
    out.usual({
      prompt_tokens: 20,
      completion_tokens: 90_000,
      total_tokens: 90_020,
    }),
  cache: (out) =>
    out.usual({ ...USAGE, prompt_tokens_details: { cached_tokens: 16 } }),
  reasoning: (out) =>
    out.usual({
      prompt_tokens: 20,
      completion_tokens: 105,
      total_tokens: 125,
      completion_tokens_details: { reasoning_tokens: 100 },
    }),
  hidden_thoughts: (out) => {
    out.begin();
    return think(out);
  },
  shown_thoughts: (out) => {
    out.begin();
    const delta = { reasoning_content: "Is the lamp lit?" };
    out.write({ choices: [{ index: 0, delta }] });
    return think(out);
  },
  choices: (out) => {
    out.begin();
    out.word("one", 0);
    out.word("two", 1);
    out.stop();
    out.usage();
    out.end();
  },
  tools: (out) => {
    if (!out.isStream) {
      const message = {
        role: "assistant",
        content: null,
        tool_calls: [TOOL_CALL],
      };
      return sendJson(out.response, 200, {
        id: "chatcmpl-loopback",
        object: "chat.completion",
        created: 1_790_000_000,
        model: out.body.model,
        choices: [{ index: 0, message, finish_reason: "tool_calls" }],
        usage: USAGE,
      });
    }
    out.begin();
    const delta = { role: "assistant", tool_calls: [TOOL_CALL] };
    out.write({ choices: [{ index: 0, delta, finish_reason: null }] });
    out.stop("tool_calls");
    out.usage();
    out.end();
  },
  error_event_first: (out) => {
    out.begin();
    out.write({ error: { message: `No, not with ${TEXT_KEY}.` } });
    out.end();
  },
  error_event: (out) => {
    out.begin();
    out.words();
    out.write({ error: { message: `No, not with ${TEXT_KEY}.` } });
    out.end();
  },
  cut: (out) => {
    out.begin();
    out.words();
    setTimeout(() => out.response.socket?.destroy(), 50);
  },
  no_done: (out) => {
    out.begin();
    out.words();
    out.stop();
    out.response.end();
  },
  half_end: (out) => {
    out.begin();
    out.words();
    out.response.end();
  },
  drip: (out) => {
    out.begin();
    return drip(out, 50);
  },
  pour: (out) => {
    out.begin();
    return drip(out, 5);
  },
  many: async (out) => {
    out.begin();
    for (let sent = 0; sent < MANY_WORDS; sent++) {
      const word = out.chunk({
        choices: [{
          index: 0,
          delta: { content: "word " },
          finish_reason: null,
        }],
      });
      if (out.response.write(word)) continue;
      await new Promise((resolve) => out.response.once("drain", resolve));
    }
    out.stop();
    out.usage({
      prompt_tokens: 20,
      completion_tokens: MANY_WORDS,
      total_tokens: MANY_WORDS + 20,
    });
    out.end();
  },
  silent_stream: (out) => out.begin(),
  silence: () => {},
  large: (out) => {
    out.begin();
    out.word("x".repeat(1024 * 1024));
    out.stop();
    out.usage();
    out.end();
  },
  split: async (out) => {
    out.begin();
    const bytes = Buffer.from(out.chunk({
      choices: [{
        index: 0,
        delta: { content: "Zoë 🌊" },
        finish_reason: null,
      }],
    }));
    for (const byte of bytes) {
      out.response.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    out.stop();
    out.usage();
    out.end();
  },
  invalid_utf8: (out) => {
    out.begin();
    const [before, after] = out.chunk({
      choices: [{ index: 0, delta: { content: "a@b" }, finish_reason: null }],
    }).split("@");
    out.response.write(before);
    out.response.write(Buffer.from([0xff, 0xfe]));
    out.response.write(after);
    out.stop();
    out.usage();
    out.end();
  },
  gzip: (out) => {
    out.begin({ "content-encoding": "gzip" });
    const packed = createGzip();
    packed.pipe(out.response);
    for (const word of ANSWER) {
      packed.write(
        out.chunk({ choices: [{ index: 0, delta: { content: word } }] }),
      );
    }
    packed.write(out.chunk({
      choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
    }));
    packed.write(out.chunk({ choices: [], usage: USAGE }));
    packed.end("data: [DONE]\n\n");
  },
  page: ({ response }) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<html>Welcome</html>");
  },
  redirect: ({ response }) =>
    void response.writeHead(307, { location: "http://127.0.0.1:9/" }).end(),
  busy: refuse(429, "rate_limit_exceeded", { "retry-after": "7" }),
  broken: refuse(500, "server_error"),
  too_long: refuse(400, "context_length_exceeded"),
  policy: refuse(400, "content_policy_violation"),
};
