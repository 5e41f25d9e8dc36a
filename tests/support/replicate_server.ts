import { randomUUID } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { listen } from "./loopback.ts";
import { PIXEL } from "./openai_server.ts";

/** The token that the functions send; no answer of theirs may ever show it. */
export const REPLICATE_API_TOKEN = "r8_loopback_5b2a4c68803f9c1d7e";

/** The secret that callbacks are signed with, and the one before it. */
export const REPLICATE_SECRET =
  "whsec_bmV3IHNlY3JldCBvZiB0aGUgbG9vcGJhY2sgcHJvdmlkZXI=";
export const OLD_REPLICATE_SECRET =
  "whsec_b2xkIHNlY3JldCBvZiB0aGUgbG9vcGJhY2sgcHJvdmlkZXI=";

/** Variables of functions whose provider is a loopback server. */
export const REPLICATE_ENV = {
  REPLICATE_API_TOKEN,
  REPLICATE_WEBHOOK_SECRET: `${REPLICATE_SECRET} ${OLD_REPLICATE_SECRET}`,
};

/** Prompts with which the server does not take a job as it should; what ends in "taken" it has taken all the same. */
export const SUBMISSIONS = {
  invalidKey: "please refuse the token",
  quota: "please be out of credit",
  serverError: "please fail to submit with 500",
  invalidInput: "please refuse the input",
  redirect: "please redirect the submission",
  garbage: "please answer with a page of HTML",
  noId: "please answer without an id",
  longId: "please answer with an id without an end",
  reset: "please reset, taken",
  silence: "please never answer, taken",
} as const;

/** A prompt whose job the server takes, and says so only when it is told to ({@link ReplicateServer.answerHeld}). */
export const HELD_SUBMISSION = "please take your time to answer";

/** A job as the provider was given it. */
export interface Prediction {
  readonly id: string;
  /** Where to call back. */
  readonly webhook: string;
  readonly version: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A callback on its way. */
export interface Message {
  readonly address: string;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

/** A server that speaks the part of Replicate's API that is used here, and keeps pictures. */
export interface ReplicateServer {
  /** What REPLICATE_BASE_URL must be. */
  readonly baseUrl: string;
  /** The address of a picture: `pixel`, `missing`, `broken`, `busy`, `large`, `text`, `reset`, or `redirect?<url>`. */
  readonly picture: (path: string) => string;
  /** Those whose prompt contains this, in the order in which they came. */
  readonly predictions: (prompt: string) => Prediction[];
  /** Answers the submissions whose answer is held back. */
  readonly answerHeld: () => void;
  /** The ids of those that were to be canceled. */
  readonly canceled: readonly string[];
  readonly close: () => Promise<void>;
}

/** A body that is signed as Standard Webhooks has it. */
export function signed(
  address: string,
  body: string,
  {
    secret = REPLICATE_SECRET,
    id = `msg_${randomUUID()}`,
    sentAt = new Date(),
  } = {},
): Message {
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, sentAt, body),
  };
  return { address, headers, body };
}

/** What the provider says of a job: the whole prediction, as Replicate does. */
export function saying(
  { id, input, version, webhook }: Prediction,
  status: string,
  output: unknown = null,
): Message {
  const error = status === "failed"
    ? `it broke (${REPLICATE_API_TOKEN})`
    : null;
  const logs = `ran on ${new URL(webhook).host}`;
  const prediction = { id, version, input, status, output, error, logs };
  return signed(webhook, JSON.stringify({ ...prediction, metrics: {} }));
}

/** Sends a callback. */
export async function deliver({ address, headers, body }: Message) {
  const response = await fetch(address, { method: "POST", headers, body });
  const seen = JSON.stringify([...response.headers]);
  return { status: response.status, text: await response.text(), seen };
}

/** Starts the loopback server on a free port of 127.0.0.1. */
export async function startReplicateServer(): Promise<ReplicateServer> {
  const predictions: Prediction[] = [];
  const canceled: string[] = [];
  const held: (() => void)[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, "http://127.0.0.1");
    if (url.pathname.startsWith("/pictures/")) {
      return sendPicture(url, response);
    }
    const { authorization } = request.headers;
    const isKnown = authorization === `Bearer ${REPLICATE_API_TOKEN}`;
    const [, toCancel] = CANCEL.exec(url.pathname) ?? [];
    if (toCancel && isKnown) {
      canceled.push(toCancel);
      return send(response, 200, { id: toCancel, status: "canceled" });
    }
    if (url.pathname !== "/v1/predictions" || !isKnown) {
      return send(response, 401, { detail: `not ${REPLICATE_API_TOKEN}` });
    }
    const { webhook, version, input } = await json(request) as Prediction;
    const prediction = {
      id: randomUUID().replaceAll("-", ""),
      webhook,
      version,
      input,
      headers: request.headers,
    };
    const { prompt } = input as { prompt: string };
    const refusal = Object.entries(REFUSALS)
      .find(([text]) => prompt.includes(text));
    if (!refusal || prompt.includes("taken")) predictions.push(prediction);
    if (refusal) return refusal[1](response);
    const answer = () =>
      send(response, 201, { ...prediction, status: "starting" });
    if (prompt.includes(HELD_SUBMISSION)) held.push(answer);
    else answer();
  });
  const { origin, close } = await listen(server);
  return {
    baseUrl: `${origin}/v1`,
    canceled,
    answerHeld: () => held.splice(0).forEach((answer) => answer()),
    picture: (path) => `${origin}/pictures/${path}`,
    predictions: (text) =>
      predictions.filter(({ input }) => String(input.prompt).includes(text)),
    close,
  };
}

const CANCEL = /^\/v1\/predictions\/([^/]+)\/cancel$/;

type Answer = (response: ServerResponse) => void;

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

const sending = (status: number, body: unknown): Answer => (response) =>
  send(response, status, body);

const REFUSALS: Record<string, Answer> = {
  [SUBMISSIONS.invalidKey]: sending(401, { detail: REPLICATE_API_TOKEN }),
  [SUBMISSIONS.quota]: sending(402, { detail: "Insufficient credit" }),
  [SUBMISSIONS.serverError]: sending(500, { detail: REPLICATE_API_TOKEN }),
  [SUBMISSIONS.invalidInput]: sending(422, { detail: "no such input" }),
  [SUBMISSIONS.redirect]: (response) =>
    response.writeHead(307, { location: "/v1/predictions" }).end(),
  [SUBMISSIONS.garbage]: (response) =>
    response.writeHead(201, { "content-type": "text/html" }).end("<html>"),
  [SUBMISSIONS.noId]: sending(201, { status: "starting" }),
  [SUBMISSIONS.longId]: sending(201, { id: "x".repeat(256) }),
  [SUBMISSIONS.reset]: (response) => response.socket?.resetAndDestroy(),
  [SUBMISSIONS.silence]: () => {},
};

const LARGE_BYTES = 17 * 1_048_576;

function sendPicture(url: URL, response: ServerResponse): void {
  const pixel = Buffer.from(PIXEL, "base64");
  const sendBytes = (bytes: Uint8Array) =>
    response.writeHead(200, { "content-type": "image/png" }).end(bytes);
  const kinds: Record<string, () => unknown> = {
    pixel: () => sendBytes(pixel),
    missing: () => send(response, 404, {}),
    broken: () => send(response, 500, {}),
    busy: () => send(response, 429, {}),
    text: () => sendBytes(Buffer.from("#!/bin/sh\necho this is no picture")),
    large: () => sendBytes(Buffer.concat([pixel, Buffer.alloc(LARGE_BYTES)])),
    reset: () => response.socket?.resetAndDestroy(),
    redirect: () =>
      response.writeHead(302, { location: url.search.slice(1) }).end(),
  };
  kinds[url.pathname.split("/").at(-1)!]!();
}
