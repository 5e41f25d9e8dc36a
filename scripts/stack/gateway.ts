import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { getRequestListener } from "@hono/node-server";

/** Where the gateway sends what: the functions by their URL, everything else to the API. */
export interface Routes {
  functionsUrl: () => string;
  api: (request: Request) => Promise<Response>;
}

/** One door on one port, as in front of a Supabase project: /functions/v1/* and the rest. */
export function startGateway(port: number, routes: Routes): Promise<Server> {
  const toApi = getRequestListener(routes.api, {
    overrideGlobalObjects: false,
  });
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/functions/v1/")) {
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
    answer.pipe(response);
  });
  inner.on("error", () => {
    if (response.headersSent) return response.destroy();
    response.writeHead(503, {
      "content-type": "application/problem+json",
      "retry-after": "1",
    });
    response.end(JSON.stringify({
      type: "about:blank",
      title: "Service Unavailable",
      status: 503,
      code: "service_unavailable",
      detail:
        "The edge functions do not answer. Repeat in a moment, with the same Idempotency-Key.",
    }));
  });
  response.on("close", () => inner.destroy());
  request.pipe(inner);
}
