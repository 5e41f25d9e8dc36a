import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createGzip } from "node:zlib";
import { listen } from "./loopback.ts";

/** The key that the functions send to this provider; no answer of theirs may ever show it. */
export const TEXT_KEY = "sk-text-7d2f40c1b6a94e58";

/** What the upstream's words cost, as it counts them. */
export const USAGE = {
  prompt_tokens: 20,
  completion_tokens: 5,
  total_tokens: 25,
};

/** The words of a usual answer. */
export const ANSWER = ["The ", "lamp ", "is ", "lit", "."];

/** The words of a long answer. */
export const MANY_WORDS = 20_000;

/** A request as it came to the provider. */
export interface Received {
  readonly path: string;
  readonly headers: Record<string, unknown>;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
  /** Whether the caller hung up before the answer was whole. */
  hungUp: boolean;
  /** How many words were sent. */
  words: number;
}

/** How an answer goes on: it is told by the request's last message, as `do <name>`. */
type Ending = (stream: Out, body: Received["body"]) => void | Promise<void>;

/** A provider of text on loopback. */
export interface TextUpstream {
  readonly baseUrl: string;
  readonly received: Received[];
  readonly close: () => Promise<void>;
}

/** Starts the provider on a free port of 127.0.0.1. */
export async function startTextUpstream(): Promise<TextUpstream> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void answer(request, response, received);
  });
  const { origin, close } = await listen(server, 0);
  return { baseUrl: `${origin}/v1`, received, close };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  received: Received[],
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  const seen: Received = {
    path: request.url ?? "",
    headers: request.headers,
    body,
    hungUp: false,
    words: 0,
  };
  received.push(seen);
  response.once("close", () => seen.hungUp = !response.writableFinished);
  if (request.headers.authorization !== `Bearer ${TEXT_KEY}`) {
    return sendJson(response, 401, {
      error: { message: `Incorrect key ${TEXT_KEY}`, code: "invalid_api_key" },
    });
  }
  if (request.url === "/v1/embeddings") {
    return sendJson(response, 200, {
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: [0.1, 0.2] }],
      model: body.model,
      usage: { prompt_tokens: 9, total_tokens: 9 },
    });
  }
  const last = JSON.stringify(body.messages?.at(-1)?.content ?? "");
  const [, name = "usual"] = /do (\w+)/.exec(last) ?? [];
  const out = new Out(response, body, seen);
  await (ENDINGS[name] ?? ENDINGS.usual!)(out, body);
}

/** The answer, as it is written. */
class Out {
  constructor(
    readonly response: ServerResponse,
    readonly body: Received["body"],
    readonly seen: Received,
  ) {}

  get isStream(): boolean {
    return this.body.stream === true;
  }

  begin(headers: Record<string, string> = {}): void {
    this.response.writeHead(200, {
      "content-type": "text/event-stream",
      ...headers,
    });
    this.response.flushHeaders();
  }

  chunk(rest: Record<string, unknown>): string {
    const frame = {
      id: "chatcmpl-loopback",
      object: "chat.completion.chunk",
      created: 1_790_000_000,
      model: this.body.model,
    };
    return `data: ${JSON.stringify({ ...frame, ...rest })}\n\n`;
  }

  write(rest: Record<string, unknown>): void {
    this.response.write(this.chunk(rest));
  }

  word(content: string, index = 0): void {
    this.seen.words++;
    this.write({
      choices: [{ index, delta: { content }, finish_reason: null }],
    });
  }

  words(words: readonly string[] = ANSWER): void {
    for (const word of words) this.word(word);
  }

  stop(finish_reason = "stop", more: Record<string, unknown> = {}): void {
    this.write({ choices: [{ index: 0, delta: {}, finish_reason }], ...more });
  }

  usage(usage: Record<string, unknown> = USAGE): void {
    this.write({ choices: [], usage });
  }

  end(): void {
    this.response.end("data: [DONE]\n\n");
  }

  usual(usage?: Record<string, unknown>): void {
    this.begin();
    this.words();
    this.stop();
    if (usage) this.usage(usage);
    this.end();
  }
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    "content-type": "application/json",
    ...headers,
  });
  response.end(JSON.stringify(body));
}

function completion(
  { body, response }: Out,
  usage: Record<string, unknown> | undefined = USAGE,
): void {
  sendJson(response, 200, {
    id: "chatcmpl-loopback",
    object: "chat.completion",
    created: 1_790_000_000,
    model: body.model,
    choices: [{
      index: 0,
      message: { role: "assistant", content: ANSWER.join("") },
      finish_reason: "stop",
    }],
    ...(usage && { usage }),
  });
}

const TOOL_CALL = {
  index: 0,
  id: "call_1",
  type: "function",
  function: { name: "get_weather", arguments: '{"city":"Kiel"}' },
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

/** What the provider can do, by name. */
const ENDINGS: Record<string, Ending> = {
  usual: (out) => out.isStream ? out.usual(USAGE) : completion(out),
  no_usage: (out) => out.isStream ? out.usual() : completion(out, {}),
  zero_usage: (out) =>
    out.usual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }),
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
  paced: async (out) => {
    out.begin();
    for (let sent = 0; sent < 100; sent++) {
      for (let at = 0; at < 10; at++) out.word("word ");
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    out.stop();
    out.usage();
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
