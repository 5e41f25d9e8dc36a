import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { text } from "node:stream/consumers";
import { listen } from "../loopback.ts";
import { refusal, type StripeAnswer } from "./answers.ts";
import { Faults, faultyAnswer } from "./faults.ts";
import { readForm } from "./form.ts";
import { answer } from "./routes.ts";
import { World } from "./world.ts";

/** Keys that the server knows; no answer and no log of ours may ever show one. */
export const STRIPE_TEST_KEY = "sk_test_loopback5b2a4c68803f9c1d7e";
export const STRIPE_LIVE_KEY = "rk_live_loopback11c3e0aa21b94d5f60";

/** The secret of the endpoint, and the one before it. */
export const STRIPE_SECRET = "whsec_newSecretOfTheLoopbackEndpoint";
export const OLD_STRIPE_SECRET = "whsec_oldSecretOfTheLoopbackEndpoint";

/** A request that came. */
export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly idempotencyKey: string | undefined;
  readonly version: string | undefined;
}

/** A server that speaks the part of Stripe's API that is used here. */
export interface StripeServer {
  /** What PAYMENTS_STRIPE_BASE_URL must be. */
  readonly origin: string;
  readonly world: World;
  /** Forgets all but the prices. */
  readonly newWorld: () => void;
  readonly faults: Faults;
  /** Every request, in the order in which it came. */
  readonly requests: Recorded[];
  readonly close: () => Promise<void>;
}

interface Remembered {
  readonly text: string;
  readonly answer: StripeAnswer;
}

/** Starts the server on a free port of 127.0.0.1. */
export async function startStripeServer(): Promise<StripeServer> {
  let world = new World();
  const faults = new Faults();
  const requests: Recorded[] = [];
  const remembered = new Map<string, Remembered>();
  const server = createServer(async (request, response) => {
    const recorded = await record(request);
    requests.push(recorded);
    const { method, path } = recorded;
    const fault = faults.next(method, path);
    if (fault?.kind === "cut") return response.destroy();
    const faulty = fault && await faultyAnswer(fault);
    const said = faulty ?? respond(request, recorded);
    if (fault?.kind === "lost") return response.destroy();
    write(response, said);
  });
  const respond = (request: IncomingMessage, recorded: Recorded) => {
    const { method, path, body, idempotencyKey } = recorded;
    const key = request.headers.authorization?.replace("Bearer ", "");
    if (key !== STRIPE_TEST_KEY && key !== STRIPE_LIVE_KEY) {
      return refusal(401, "invalid_request_error", `Invalid API Key: ${key}`);
    }
    const before = idempotencyKey && remembered.get(idempotencyKey);
    if (before && before.text === path + body) return before.answer;
    if (before) {
      return refusal(400, "idempotency_error", "Keys can only be used once");
    }
    const url = new URL(path, origin);
    const said = answer(world, {
      method,
      path: url.pathname,
      form: readForm(method === "GET" ? url.search : body),
      livemode: key === STRIPE_LIVE_KEY,
      origin,
    }) ?? refusal(404, "invalid_request_error", `unknown ${method} ${path}`);
    if (idempotencyKey) {
      remembered.set(idempotencyKey, { text: path + body, answer: said });
    }
    return said;
  };
  const { origin, close } = await listen(server);
  return {
    origin,
    get world() {
      return world;
    },
    newWorld: () => {
      world = new World(world.prices);
      remembered.clear();
      requests.length = 0;
    },
    faults,
    requests,
    close,
  };
}

async function record(request: IncomingMessage): Promise<Recorded> {
  const header = (name: string) => request.headers[name]?.toString();
  return {
    method: request.method!,
    path: request.url!,
    body: await text(request),
    idempotencyKey: header("idempotency-key"),
    version: header("stripe-version"),
  };
}

function write(response: ServerResponse, { status, body }: StripeAnswer): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "request-id": "req_loopback",
    // The client repeats at once what Stripe asks it to repeat.
    "retry-after": "0",
  }).end(JSON.stringify(body));
}
