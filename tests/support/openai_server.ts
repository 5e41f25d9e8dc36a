import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { ServerResponse } from "node:http";
import { PassThrough, pipeline, Readable, type Transform } from "node:stream";
import { createGzip, gunzipSync, gzipSync } from "node:zlib";
import { encode } from "fast-png";
import { listen } from "./loopback.ts";
import { speak } from "./openai_speech.ts";

/** The key that the functions send; no answer of theirs may ever show it. */
export const OPENAI_API_KEY = "sk-loopback-3f9c1d7e5b2a4c6880";

/**
 * Prompts that make the loopback server misbehave: a prompt that contains one
 * of these gets the matching answer, any other prompt gets a picture.
 */
export const PROMPTS = {
  invalidKey: "please refuse the key",
  exhaustedQuota: "please be out of quota",
  contentPolicy: "please refuse the content",
  serverError: "please fail with 500",
  brokenBody: "please send a broken body",
  noImage: "please send no image",
  connectionReset: "please reset the connection",
  silence: "please never answer",
  slow: "please take a second and a half",
  garbage: "please send a page of HTML",
  halfBody: "please stop in the middle of the body",
  drip: "please send a byte now and then",
  tooLarge: "please send seventeen megabytes",
  endless: "please send without an end",
  bomb: "please send what unpacks to a gigabyte",
  largePicture: "please send a picture of ten megabytes",
  wrongPicture: "please send a picture that is none",
} as const;

/** A prompt that has the server answer with a redirect. */
export function redirectPrompt(status: number, location: string): string {
  return `please redirect with ${status} to ${location}`;
}

/** A prompt that has the server answer with a picture's address in place of the picture. */
export function linkPrompt(url: string): string {
  return `please link to ${url}`;
}

const PICTURE_WANTED = "please send the picture ";

/** A prompt that has the server answer with this picture, in base64. */
export function picturePrompt(picture: string): string {
  return PICTURE_WANTED + gzipSync(picture).toString("base64");
}

/** Stands in headers of the server, which are nobody's business but ours. */
export const PROVIDER_HEADER = "loopback-provider";

type Answer = (response: ServerResponse) => void | Promise<void>;

/** A picture of one pixel, a PNG in base64. */
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" +
  "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const SLOW_MILLISECONDS = 1_500;
const MEBIBYTE = 1_048_576;
const TOO_LARGE_BYTES = 17 * MEBIBYTE;
const BOMB_MEBIBYTES = 1_024;
const LARGE_PICTURE = { width: 3_200, height: 3_277 };

/** A server that speaks the parts of OpenAI's Images and Speech APIs that are used here. */
export interface OpenAiServer {
  /** What OPENAI_BASE_URL must be, for instance `http://127.0.0.1:4040/v1`. */
  readonly baseUrl: string;
  readonly close: () => Promise<void>;
}

/** Starts the loopback server on a free port of 127.0.0.1. */
export async function startOpenAiServer(port = 0): Promise<OpenAiServer> {
  const server = createServer((request, response) => {
    void answerRequest(request, response);
  });
  const { origin, close } = await listen(server, port);
  return { baseUrl: `${origin}/v1`, close };
}

async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const isSpeech = request.url === "/v1/audio/speech";
  if (!isSpeech && request.url !== "/v1/images/generations") {
    return sendError(404, "not_found", "unknown path")(response);
  }
  if (request.headers.authorization !== `Bearer ${OPENAI_API_KEY}`) {
    return refuseKey(response);
  }
  response.setHeader("server", PROVIDER_HEADER);
  response.setHeader("set-cookie", `session=${PROVIDER_HEADER}`);
  const asked = JSON.parse(await readBody(request));
  const { prompt = asked.input, n = 1 } = asked;
  const [, status, location] = REDIRECT.exec(prompt) ?? [];
  if (location) return redirectTo(Number(status), location)(response);
  const [, url] = LINK.exec(prompt) ?? [];
  if (url) return sendData([{ url }])(response);
  const [, packed] = prompt.split(PICTURE_WANTED);
  if (packed) {
    const wanted = gunzipSync(Buffer.from(packed, "base64")).toString();
    return sendData([{ b64_json: wanted }])(response);
  }
  const chosen = Object.entries(ANSWERS).find(([text]) =>
    prompt.includes(text)
  );
  if (!chosen && isSpeech) return speak(asked, response);
  const answer = chosen ? chosen[1] : sendImages(n);
  await answer(response);
}

const REDIRECT = new RegExp(
  redirectPrompt(0, "").replace("0", "(\\d+)") + "(.+)",
);
const LINK = new RegExp(linkPrompt("(.+)"));

const refuseKey: Answer = sendError(
  401,
  "invalid_api_key",
  `Incorrect API key provided: ${OPENAI_API_KEY}.`,
);

const ANSWERS: Record<string, Answer> = {
  [PROMPTS.invalidKey]: refuseKey,
  [PROMPTS.exhaustedQuota]: sendError(
    429,
    "insufficient_quota",
    `You exceeded your current quota (key ${OPENAI_API_KEY}).`,
  ),
  [PROMPTS.contentPolicy]: sendError(
    400,
    "moderation_blocked",
    "Your request was rejected by the safety system.",
  ),
  [PROMPTS.serverError]: sendError(
    500,
    "server_error",
    `The server had an error (key ${OPENAI_API_KEY}).`,
  ),
  [PROMPTS.brokenBody]: (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end('{"created":1,"data":[{"b64_json":"iVBORw0K');
  },
  [PROMPTS.noImage]: (response) => sendJson(response, 200, { data: [] }),
  [PROMPTS.connectionReset]: (response) => {
    response.socket?.resetAndDestroy();
  },
  [PROMPTS.silence]: () => {},
  [PROMPTS.slow]: (response) => {
    setTimeout(() => sendImages(1)(response), SLOW_MILLISECONDS);
  },
  [PROMPTS.garbage]: (response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<html><body>Welcome to the login page</body></html>");
  },
  [PROMPTS.halfBody]: (response) => {
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": "5000",
    });
    response.write('{"created":1,"data":[{"b64_json":"iVBORw0K');
    setTimeout(() => response.socket?.destroy(), 100);
  },
  [PROMPTS.drip]: (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const timer = setInterval(() => response.write(" "), 200);
    response.once("close", () => clearInterval(timer));
  },
  [PROMPTS.tooLarge]: (response) =>
    sendData([{ b64_json: PIXEL + "A".repeat(TOO_LARGE_BYTES) }])(response),
  [PROMPTS.endless]: (response) => sendBody(response, {}, Infinity),
  [PROMPTS.bomb]: (response) =>
    sendBody(
      response,
      { "content-encoding": "gzip" },
      BOMB_MEBIBYTES,
      createGzip(),
    ),
  [PROMPTS.largePicture]: (response) =>
    sendData([{ b64_json: largePicture() }])(response),
  [PROMPTS.wrongPicture]: sendData([
    { b64_json: Buffer.from("#!/bin/sh").toString("base64") },
  ]),
};

function sendData(data: unknown[]): Answer {
  return (response) => sendJson(response, 200, { created: 1, data });
}

function sendImages(n: number): Answer {
  return sendData(Array.from({ length: n }, () => ({ b64_json: PIXEL })));
}

/** Sends so many mebibytes of the beginning of a picture, as far as they are taken. */
function sendBody(
  response: ServerResponse,
  headers: Record<string, string>,
  mebibytes: number,
  packing: Transform = new PassThrough(),
): void {
  response.writeHead(200, { "content-type": "application/json", ...headers });
  const chunk = "A".repeat(MEBIBYTE);
  const body = function* () {
    yield `{"created":1,"data":[{"b64_json":"${PIXEL}`;
    for (let sent = 0; sent < mebibytes; sent++) yield chunk;
    yield '"}]}';
  };
  // A client that has enough hangs up.
  pipeline(Readable.from(body()), packing, response, () => {});
}

let picture: string | undefined;

/** A real PNG of ten megabytes: noise does not shrink. */
function largePicture(): string {
  const { width, height } = LARGE_PICTURE;
  const noise = () => new Uint8Array(randomBytes(width * height));
  return picture ??= Buffer.from(
    encode({ width, height, data: noise(), channels: 1 }),
  ).toString("base64");
}

function redirectTo(status: number, location: string): Answer {
  return (response) => void response.writeHead(status, { location }).end();
}

function sendError(status: number, code: string, message: string): Answer {
  const error = { message, type: code, param: null, code };
  return (response) => sendJson(response, status, { error });
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
