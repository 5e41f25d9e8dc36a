import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from "node:crypto";
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

/** The key that the functions send; no answer of theirs may ever show it. */
export const FAL_KEY = "9d3c-loopback:7f1e5a0b44c2";
/** The key before it. */
export const OLD_FAL_KEY = "1b2f-loopback:0c9d8e7f6a5b";

/** The keys that callbacks are signed with: both are in the set, the stranger's is not. */
const KEYS = {
  new: generateKeyPairSync("ed25519"),
  old: generateKeyPairSync("ed25519"),
  stranger: generateKeyPairSync("ed25519"),
};

/** A server that speaks the part of fal's queue that is used here, keeps pictures, and publishes its keys. */
export interface FalServer extends ProviderServer {
  /** What FAL_JWKS_URL must be. */
  readonly keysUrl: string;
  /** The keys that it publishes; a test may add some, take some away, or have it fail with undefined. */
  keys: KeyObject[] | undefined;
  /** How often they were fetched. */
  readonly fetches: () => number;
}

/** Variables of functions whose provider is this server. */
export function falEnv({ baseUrl, keysUrl }: FalServer) {
  return {
    FAL_KEY: `${FAL_KEY} ${OLD_FAL_KEY}`,
    FAL_BASE_URL: baseUrl,
    FAL_JWKS_URL: keysUrl,
  };
}

/** A body that is signed as fal does it. */
export function signedByFal(
  address: string,
  body: string,
  {
    by = KEYS.new.privateKey,
    requestId = randomUUID() as string,
    userId = "user_loopback",
    sentAt = new Date(),
  } = {},
): Message {
  const timestamp = String(Math.floor(sentAt.getTime() / 1000));
  const digest = createHash("sha256").update(body).digest("hex");
  const message = [requestId, userId, timestamp, digest].join("\n");
  const headers = {
    "content-type": "application/json",
    "x-fal-webhook-request-id": requestId,
    "x-fal-webhook-user-id": userId,
    "x-fal-webhook-timestamp": timestamp,
    "x-fal-webhook-signature": sign(null, Buffer.from(message), by)
      .toString("hex"),
  };
  return { address, headers, body };
}

/** How a job ended, in fal's words. */
function result(status: string, output: unknown): {
  readonly status: number;
  readonly payload: unknown;
} {
  switch (status) {
    case "succeeded":
      return { status: 200, payload: { images: imagesOf(output), seed: 7 } };
    case "failed":
      return {
        status: 500,
        payload: {
          detail: `it broke (${FAL_KEY})`,
          error_type: "runner_server_error",
        },
      };
    case "canceled":
      return {
        status: 499,
        payload: { detail: "cancelled", error_type: "client_cancelled" },
      };
    default:
      return {
        status: 504,
        payload: { detail: "timed out", error_type: "request_timeout" },
      };
  }
}

function imagesOf(output: unknown): unknown {
  const isAddress = (each: unknown) => typeof each === "string";
  if (!Array.isArray(output)) {
    return isAddress(output) ? [{ url: output }] : output;
  }
  return output.map((url) => isAddress(url) ? { url, width: 1 } : url);
}

/** What fal says of a job; of one that goes on it says nothing, so this makes no sense to it. */
export function sayingAsFal(
  { id, webhook, input }: Prediction,
  status: string,
  output: unknown = null,
): Message {
  const ended = { request_id: id, gateway_request_id: id };
  if (status === "starting" || status === "processing") {
    const body = JSON.stringify({ ...ended, status: "IN_PROGRESS" });
    return signedByFal(webhook, body, { requestId: id });
  }
  const isVideo = status === "succeeded" && "duration" in input;
  const payload = isVideo
    ? { video: { url: output, content_type: "video/mp4" } }
    : result(status, output).payload;
  const body = JSON.stringify(
    status === "succeeded"
      ? { ...ended, status: "OK", payload }
      : { ...ended, status: "ERROR", error: "Invalid status code", payload },
  );
  return signedByFal(webhook, body, { requestId: id });
}

/** fal's callbacks. */
export const FAL_VOICE: Voice = {
  provider: "fal",
  signed: (address, body, { by = "new", sentAt } = {}) =>
    signedByFal(address, body, { by: KEYS[by].privateKey, sentAt }),
  saying: sayingAsFal,
};

const REQUEST = /^\/([^/]+\/[^/]+)\/requests\/([^/]+?)(\/status|\/cancel)?$/;

const CANCELED = {
  "at once": [200, "OK"],
  later: [202, "CANCELLATION_REQUESTED"],
  "too late": [400, "ALREADY_COMPLETED"],
} as const;

const PROTOCOL: Protocol = {
  path: "",
  key: FAL_KEY,
  isKnown: ({ headers }) => headers.authorization === `Key ${FAL_KEY}`,
  submission: (url, body) => ({
    webhook: url.searchParams.get("fal_webhook")!,
    version: url.pathname.slice(1),
    input: body as Prediction["input"],
  }),
  taken: (origin, { id, version }) => {
    const app = version.split("/").slice(0, 2).join("/");
    const request = `${origin}/${app}/requests/${id}`;
    return {
      request_id: id,
      response_url: request,
      status_url: `${request}/status`,
      cancel_url: `${request}/cancel`,
      queue_position: 0,
    };
  },
  named: (id) => ({ request_id: id, queue_position: 0 }),
  ask: ({ pathname }, method, { response, said, cancel }) => {
    const [, , id, action] = REQUEST.exec(pathname) ?? [];
    if (!id) return false;
    if (action === "/cancel" && method === "PUT") {
      const how = cancel(id);
      if (how === "broken" || how === "reset") {
        return sendNonsense(response, how);
      }
      const [code, status] = CANCELED[how];
      send(response, code, { status });
      return true;
    }
    const { status, output } = said(id);
    if (sendNonsense(response, status)) return true;
    if (action === "/status") {
      sendStatus(id, status);
      return true;
    }
    const ended = result(status, output);
    send(response, ended.status, ended.payload);
    return true;

    function sendStatus(id: string, status: string) {
      const queued = { starting: "IN_QUEUE", processing: "IN_PROGRESS" }[
        status as "starting"
      ];
      const request_id = status === "of another job" ? "another" : id;
      send(response, 200, { status: queued ?? "COMPLETED", request_id });
    }
  },
};

/** Starts the loopback server on a free port of 127.0.0.1. */
export async function startFalServer(): Promise<FalServer> {
  let fetches = 0;
  const published = {
    keys: [KEYS.old.publicKey, KEYS.new.publicKey] as KeyObject[] | undefined,
  };
  const server = await startProviderServer({
    ...PROTOCOL,
    publish: ({ pathname }, response) => {
      if (pathname !== "/.well-known/jwks.json") return false;
      fetches++;
      const { keys } = published;
      const set = keys?.map((key) => key.export({ format: "jwk" }));
      send(response, set ? 200 : 503, { keys: set });
      return true;
    },
  });
  return Object.assign(published, server, {
    keysUrl: `${server.baseUrl}/.well-known/jwks.json`,
    fetches: () => fetches,
  });
}
