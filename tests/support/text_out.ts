import type { ServerResponse } from "node:http";

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
  /** Lets an answer go that is held. */
  letGo?: () => void;
}

/** The answer, as it is written. */
export class Out {
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

/** Sends an answer that is not streamed. */
export function sendJson(
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

/** Sends a usual answer that is not streamed. */
export function completion(
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
