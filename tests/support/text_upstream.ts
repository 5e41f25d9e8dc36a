import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { listen } from "./loopback.ts";
import { ENDINGS } from "./text_endings.ts";
import { Out, type Received, sendJson, TEXT_KEY } from "./text_out.ts";

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
