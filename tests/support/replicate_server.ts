import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import {
  type Message,
  type Prediction,
  type Protocol,
  type ProviderServer,
  send,
  sendNonsense,
  startProviderServer,
  type Voice,
} from "./callback_server.ts";

export * from "./callback_server.ts";

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

/** A server that speaks the part of Replicate's API that is used here, and keeps pictures. */
export type ReplicateServer = ProviderServer;

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

const SECRETS = {
  new: REPLICATE_SECRET,
  old: OLD_REPLICATE_SECRET,
  stranger: `whsec_${btoa("of nobody")}`,
};

/** Replicate's callbacks. */
export const REPLICATE_VOICE: Voice = {
  provider: "replicate",
  signed: (address, body, { by = "new", sentAt } = {}) =>
    signed(address, body, { secret: SECRETS[by], sentAt }),
  saying,
};

const PREDICTION = /^\/v1\/predictions\/([^/]+)(\/cancel)?$/;

const CANCELED = {
  "at once": "canceled",
  later: "processing",
  "too late": "succeeded",
};

const PROTOCOL: Protocol = {
  path: "/v1",
  key: REPLICATE_API_TOKEN,
  isKnown: ({ headers }) =>
    headers.authorization === `Bearer ${REPLICATE_API_TOKEN}`,
  submission: (_, body) => {
    const { webhook, version, input } = body as Prediction;
    return { webhook, version, input };
  },
  taken: (_, job) => ({ ...job, status: "starting" }),
  named: (id) => ({ id, status: "starting" }),
  ask: ({ pathname }, _, { response, said, cancel }) => {
    const [, id, canceling] = PREDICTION.exec(pathname) ?? [];
    if (!id) return false;
    if (canceling) {
      const how = cancel(id);
      if (how === "broken" || how === "reset") {
        return sendNonsense(response, how);
      }
      send(response, 200, { id, status: CANCELED[how] });
      return true;
    }
    const { status, output = null } = said(id);
    if (sendNonsense(response, status)) return true;
    const isOther = status === "of another job";
    send(response, 200, {
      id: isOther ? "another" : id,
      status: isOther ? "failed" : status,
      output,
      error: status === "failed" ? "it broke" : null,
    });
    return true;
  },
};

/** Starts the loopback server on a free port of 127.0.0.1. */
export function startReplicateServer(): Promise<ReplicateServer> {
  return startProviderServer(PROTOCOL);
}
