import { randomUUID } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { pipeline, Readable } from "node:stream";
import { json } from "node:stream/consumers";
import { mp4 } from "./films.ts";
import { listen } from "./loopback.ts";
import { PIXEL } from "./openai_server.ts";

/** Prompts with which a server does not take a job as it should; what ends in "taken" it has taken all the same. */
export const SUBMISSIONS = {
  invalidKey: "please refuse the token",
  quota: "please be out of credit",
  serverError: "please fail to submit with 500",
  invalidInput: "please refuse the input",
  redirect: "please redirect the submission",
} as const;

/** Prompts of jobs that a server may have, for all that its answer says. */
export const OPEN_SUBMISSIONS = {
  garbage: "please answer with a page of HTML",
  noId: "please answer without an id",
  longId: "please answer with an id without an end",
  reset: "please reset, taken",
  silence: "please never answer, taken",
} as const;

/** A prompt whose job a server takes, and says so only when it is told to ({@link ProviderServer.answerHeld}). */
export const HELD_SUBMISSION = "please take your time to answer";

/** A job as its provider was given it. */
export interface Prediction {
  readonly id: string;
  /** Where to call back. */
  readonly webhook: string;
  /** The model. */
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

/** What a provider says when it is asked of a job: a status of Replicate's, or nothing that makes sense. */
export interface Saying {
  readonly status:
    | "starting"
    | "processing"
    | "succeeded"
    | "failed"
    | "canceled"
    | "aborted"
    | "unknown"
    | "broken"
    | "garbage"
    | "reset"
    | "of another job";
  readonly output?: unknown;
}

/** What a provider does when it is to cancel a job. */
export type Canceling = "at once" | "later" | "too late" | "broken" | "reset";

/** What a provider is told to do by a test. */
export interface ProviderServer {
  /** What its base URL must be. */
  readonly baseUrl: string;
  /**
   * The address of a file: `pixel`, `film`, `longFilm` (of 50 MB), `missing`, `broken`, `busy`, `large`, `text`, `reset`,
   * or `redirect?<url>`.
   */
  readonly picture: (path: string) => string;
  /** Those whose prompt contains this, in the order in which they came. */
  readonly predictions: (prompt: string) => Prediction[];
  /** Answers the submissions whose answer is held back. */
  readonly answerHeld: () => void;
  /** The ids of those that were to be canceled. */
  readonly canceled: readonly string[];
  /** The ids of those that it was asked of. */
  readonly asked: readonly string[];
  /** What it says when it is asked of a job; without a word it is `starting`. */
  readonly says: Map<string, Saying>;
  /** What it does to cancel a job; without a word it is `at once`. */
  readonly cancels: Map<string, Canceling>;
  readonly close: () => Promise<void>;
}

/** How a provider's callbacks are made. */
export interface Voice {
  /** The provider's name in the price book. */
  readonly provider: string;
  /** A body that is signed as the provider does it. */
  readonly signed: (
    address: string,
    body: string,
    options?: { by?: "new" | "old" | "stranger"; sentAt?: Date },
  ) => Message;
  /** What the provider says of a job, in words of Replicate's. */
  readonly saying: (
    job: Prediction,
    status: string,
    output?: unknown,
  ) => Message;
}

/** Sends a callback. */
export async function deliver({ address, headers, body }: Message) {
  const response = await fetch(address, { method: "POST", headers, body });
  const seen = JSON.stringify([...response.headers]);
  return { status: response.status, text: await response.text(), seen };
}

/** What tells one provider's server from another's. */
export interface Protocol {
  readonly path: string;
  readonly isKnown: (request: IncomingMessage) => boolean;
  /** The key that no answer may show. */
  readonly key: string;
  /** Reads a submission; undefined for another request. */
  readonly submission: (
    url: URL,
    body: unknown,
  ) => Pick<Prediction, "webhook" | "version" | "input">;
  /** The answer to a submission. */
  readonly taken: (origin: string, job: Prediction) => unknown;
  /** The answer without an id, and with another. */
  readonly named: (id: string | undefined) => unknown;
  /** Answers what asks of a job, or cancels it; false for any other request. */
  readonly ask: (
    url: URL,
    method: string,
    talk: Talk,
  ) => boolean;
  /** Answers what is nobody's secret, such as keys; false for any other request. */
  readonly publish?: (url: URL, response: ServerResponse) => boolean;
}

/** What a protocol answers with. */
export interface Talk {
  readonly response: ServerResponse;
  readonly origin: string;
  /** What is to be said of a job that was asked of. */
  readonly said: (id: string) => Saying;
  /** What is to be done to cancel a job. */
  readonly cancel: (id: string) => Canceling;
}

/** Starts a provider's server on a free port of 127.0.0.1. */
export async function startProviderServer(
  protocol: Protocol,
): Promise<ProviderServer> {
  const predictions: Prediction[] = [];
  const canceled: string[] = [];
  const asked: string[] = [];
  const says = new Map<string, Saying>();
  const cancels = new Map<string, Canceling>();
  const held: (() => void)[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, origin);
    if (url.pathname.startsWith("/pictures/")) {
      return sendPicture(url, response);
    }
    if (protocol.publish?.(url, response)) return;
    if (!protocol.isKnown(request)) {
      return send(response, 401, { detail: `not ${protocol.key}` });
    }
    const talk: Talk = {
      response,
      origin,
      said: (id) => {
        asked.push(id);
        return says.get(id) ?? { status: "starting" };
      },
      cancel: (id) => {
        canceled.push(id);
        return cancels.get(id) ?? "at once";
      },
    };
    if (protocol.ask(url, request.method!, talk)) return;
    const given = protocol.submission(url, await json(request));
    const id = randomUUID().replaceAll("-", "");
    const job = { id, ...given, headers: request.headers };
    const { prompt } = given.input as { prompt: string };
    const refusal = Object.entries(refusals(protocol))
      .find(([text]) => prompt.includes(text));
    if (!refusal || prompt.includes("taken")) predictions.push(job);
    if (refusal) return refusal[1](response);
    const answer = () => send(response, 201, protocol.taken(origin, job));
    if (prompt.includes(HELD_SUBMISSION)) held.push(answer);
    else answer();
  });
  const { origin, close } = await listen(server);
  return {
    baseUrl: `${origin}${protocol.path}`,
    canceled,
    asked,
    says,
    cancels,
    answerHeld: () => held.splice(0).forEach((answer) => answer()),
    picture: (path) => `${origin}/pictures/${path}`,
    predictions: (text) =>
      predictions.filter(({ input }) => String(input.prompt).includes(text)),
    close,
  };
}

type Answer = (response: ServerResponse) => void;

/** Answers with JSON. */
export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** Answers what makes no sense, as a test wants it; false for what does. */
export function sendNonsense(response: ServerResponse, kind: string): boolean {
  const kinds: Record<string, Answer> = {
    unknown: (response) => send(response, 404, { detail: "not found" }),
    broken: (response) => send(response, 502, { error: "bad gateway" }),
    garbage: (response) => response.writeHead(200).end("<html>"),
    reset: (response) => response.socket?.resetAndDestroy(),
  };
  kinds[kind]?.(response);
  return kind in kinds;
}

function refusals({ key, path, named }: Protocol): Record<string, Answer> {
  const sending = (status: number, body: unknown): Answer => (response) =>
    send(response, status, body);
  return {
    [SUBMISSIONS.invalidKey]: sending(401, { detail: key }),
    [SUBMISSIONS.quota]: sending(402, { detail: "Insufficient credit" }),
    [SUBMISSIONS.serverError]: sending(500, { detail: key }),
    [SUBMISSIONS.invalidInput]: sending(422, { detail: "no such input" }),
    [SUBMISSIONS.redirect]: (response) =>
      response.writeHead(307, { location: `${path}/predictions` }).end(),
    [OPEN_SUBMISSIONS.garbage]: (response) =>
      response.writeHead(201, { "content-type": "text/html" }).end("<html>"),
    [OPEN_SUBMISSIONS.noId]: sending(201, named(undefined)),
    [OPEN_SUBMISSIONS.longId]: sending(201, named("x".repeat(256))),
    [OPEN_SUBMISSIONS.reset]: (response) => response.socket?.resetAndDestroy(),
    [OPEN_SUBMISSIONS.silence]: () => {},
  };
}

/** What a video in MP4 begins with, and some bytes. */
const FILM = Buffer.from(
  `\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41${"frame".repeat(100)}`,
  "latin1",
);

const LARGE_BYTES = 51 * 1_048_576;
/** Bytes of `longFilm`. */
export const FILM_BYTES = 50_000_000;

function sendPicture(url: URL, response: ServerResponse): void {
  const pixel = Buffer.from(PIXEL, "base64");
  const sendBytes = (bytes: Uint8Array) =>
    response.writeHead(200, { "content-type": "image/png" }).end(bytes);
  const kinds: Record<string, () => unknown> = {
    pixel: () => sendBytes(pixel),
    // With a query: one that says that it lasts so many milliseconds.
    film: () => sendBytes(url.search ? mp4(Number(url.search.slice(1))) : FILM),
    missing: () => send(response, 404, {}),
    broken: () => send(response, 500, {}),
    busy: () => send(response, 429, {}),
    text: () => sendBytes(Buffer.from("#!/bin/sh\necho this is no picture")),
    large: () => sendBytes(Buffer.concat([pixel, Buffer.alloc(LARGE_BYTES)])),
    longFilm: () => sendFilm(response),
    reset: () => response.socket?.resetAndDestroy(),
    redirect: () =>
      response.writeHead(302, { location: url.search.slice(1) }).end(),
  };
  kinds[url.pathname.split("/").at(-1)!]!();
}

/** Streams a video as fast as it is read. */
function sendFilm(response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "video/mp4",
    "content-length": FILM_BYTES,
  });
  const chunks = function* () {
    yield FILM;
    const piece = Buffer.alloc(100_000, 7);
    for (let left = FILM_BYTES - FILM.length; left > 0;) {
      const next = piece.subarray(0, left);
      left -= next.length;
      yield next;
    }
  };
  pipeline(Readable.from(chunks()), response, () => {});
}
