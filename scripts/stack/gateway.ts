import { randomUUID } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { withCors } from "../../functions/_shared/cors.ts";
import { Problem } from "../../functions/_shared/problem.ts";
import { CONSOLE_PATH } from "./console.ts";
import { SANDBOX_PATH } from "./sandbox/index.ts";

/** Where the gateway sends what: the functions by their URL, Data API, Auth and Storage, and the sandbox, to a handler. */
export interface Routes {
  functionsUrl: () => string;
  api: (request: Request) => Promise<Response>;
  /** Sells without money, below {@link SANDBOX_PATH}. */
  sandbox: (request: Request) => Promise<Response>;
  /** What pages there are at a path, if any. */
  pages?: (request: Request) => Promise<Response | undefined>;
  /** The operators' console, below {@link CONSOLE_PATH}. */
  console?: (request: Request) => Promise<Response>;
}

/** What the handler may be asked for: it has an administration of its own beside these, which asks for no key. */
const API_PATH = /^\/(rest|auth|storage)\/v1(\/|$)/;

const NOTHING_HERE = new Problem(
  "not_found",
  "There are /rest/v1, /auth/v1, /storage/v1 and /functions/v1.",
);

/** One door on one port, as in front of a Supabase project: Data API, Auth, Storage and functions; beside them the sandbox and pages. */
export function startGateway(port: number, routes: Routes): Promise<Server> {
  // By the address that the handler gets, which request line and Host header may have changed.
  const toApi = getRequestListener(
    async (incoming) => {
      const { pathname } = new URL(incoming.url);
      if (API_PATH.test(pathname)) return routes.api(incoming);
      if (pathname.startsWith(`${SANDBOX_PATH}/`)) {
        return routes.sandbox(incoming);
      }
      if (
        routes.console && `${pathname}/`.startsWith(`${CONSOLE_PATH}/`)
      ) {
        return routes.console(incoming);
      }
      try {
        return await routes.pages?.(incoming) ?? answerOf(NOTHING_HERE);
      } catch (error) {
        if (error instanceof Problem) return answerOf(error);
        throw error;
      }
    },
    { overrideGlobalObjects: false },
  );
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    if (url.startsWith("/functions/v1/")) {
      proxy(request, response, routes.functionsUrl());
    } else {
      toApi(request, response);
    }
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** Streams a request on and its answer back; a client that hangs up ends the inner request too. */
function proxy(
  request: IncomingMessage,
  response: ServerResponse,
  target: string,
): void {
  const inner = httpRequest(target + request.url, {
    method: request.method,
    headers: request.headers,
  }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    // An answer that breaks off in the middle breaks off here too, so that the client notices.
    pipeline(answer, response, () => {});
  });
  inner.on("error", () => {
    if (response.headersSent) return response.destroy();
    const detail =
      "The edge functions do not answer. Repeat in a moment, with the same Idempotency-Key.";
    const headers = { "retry-after": "1" };
    refuse(response, new Problem("service_unavailable", detail, { headers }));
  });
  response.on("close", () => inner.destroy());
  request.pipe(inner);
}

/** Answers for the gateway itself, as a function answers an error. */
async function refuse(
  response: ServerResponse,
  problem: Problem,
): Promise<void> {
  const answer = answerOf(problem);
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
    .end(await answer.text());
}

function answerOf(problem: Problem): Response {
  const requestId = randomUUID();
  const answer = withCors(problem.toResponse(requestId));
  answer.headers.set("x-request-id", requestId);
  return answer;
}
