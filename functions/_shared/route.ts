import type { Contract } from "./contract.ts";
import { preflight, withCors } from "./cors.ts";
import { isUnavailable } from "./database.ts";
import { FUNCTION_PREFIX } from "./function_prefix.ts";
import { logEvent, logUnexpected } from "./log.ts";
import { Problem, type ProblemCode, serviceUnavailable } from "./problem.ts";

/** What a handler gets to know about its request. */
export interface RequestContext {
  request: Request;
  url: URL;
  /** The path's variables, such as `id` of `/:id`; empty for a part that is not there. */
  params: Record<string, string | undefined>;
  /** A fresh UUID, answered as `x-request-id` and kept with what the request does. */
  requestId: string;
}

/** Answers a request, or throws a {@link Problem}; a DatabaseError for a database that is away is answered as 503. */
export type Handler = (context: RequestContext) => Promise<Response>;

/** How a function answers a problem: as RFC 9457 has it, unless its clients know another form. */
export type AnswerProblem = (problem: Problem, requestId: string) => Response;

const asProblemJson: AnswerProblem = (problem, requestId) =>
  problem.toResponse(requestId);

/** Which handler serves a method on a path below the function's own. */
export interface Route {
  method: "GET" | "POST" | "DELETE";
  /** A URLPattern path below the function, such as `/:id/cancel`; "" is the function itself. */
  path: string;
  contract: Contract;
  handler: Handler;
}

// What the platform and its clients add to a query: supabase-js names the region that it wants.
const PLATFORM_PARAMETERS = ["forceFunctionRegion", "apikey"];

type CompiledRoute = Route & { pattern: URLPattern };

/**
 * Makes a function's `fetch` of its routes: request id, CORS, OPTIONS, HEAD, 404, 405
 * and the answer to every error are the same on all of them. No cache keeps an answer:
 * it speaks of one user's credits.
 *
 * A function is called as `/functions/v1/<name>` or, behind the hosted gateway, as `/<name>`,
 * with the project's prefix before the name.
 *
 * @returns `fetch`; the routes stand beside it, for `openapi.json`
 */
export function serveRoutes(
  name: string,
  routes: Route[],
  answerProblem: AnswerProblem = asProblemJson,
): ((request: Request) => Promise<Response>) & { routes: readonly Route[] } {
  const compiled = routes.map((route) => ({
    ...route,
    pattern: new URLPattern({
      pathname: `{/functions/v1}?/${FUNCTION_PREFIX}${name}${route.path}{/}?`,
    }),
  }));
  const answer = async (request: Request) => {
    const requestId = crypto.randomUUID();
    const response = await dispatch(compiled, request, requestId)
      .catch((error) =>
        answerProblem(problemOf(error, name, requestId), requestId)
      );
    response.headers.set("x-request-id", requestId);
    response.headers.set("cache-control", "no-store");
    withCors(response);
    if (request.method !== "HEAD") return response;
    await response.body?.cancel();
    return new Response(null, response);
  };
  return Object.assign(answer, { routes });
}

/** Codes that tell an operator to look. */
const OPERATORS = new Set<ProblemCode>([
  "service_unavailable",
  "payments_not_set_up",
]);

/** What is answered to an error, which is logged where somebody has to look at it. */
function problemOf(error: unknown, name: string, requestId: string): Problem {
  const source = { function: name, request_id: requestId };
  const problem = toProblem(error);
  if (problem && OPERATORS.has(problem.code)) {
    logEvent("error", problem.code, { ...source, detail: problem.message });
  } else if (!problem) {
    logUnexpected(error, source);
  }
  return problem ?? unexpected();
}

function toProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  return isUnavailable(error)
    ? serviceUnavailable(
      "The database cannot be reached or takes no changes. Repeat the request in a moment.",
    )
    : undefined;
}

function unexpected(): Problem {
  return new Problem(
    "internal_error",
    "The request could not be completed. Repeat it, and give its request_id if it fails again.",
  );
}

// Async, so that what it throws is caught where its promise is.
// deno-lint-ignore require-await
async function dispatch(
  routes: CompiledRoute[],
  request: Request,
  requestId: string,
): Promise<Response> {
  const url = new URL(request.url);
  for (const name of PLATFORM_PARAMETERS) url.searchParams.delete(name);
  const matches = routes.flatMap((route) => {
    const match = route.pattern.exec({ pathname: url.pathname });
    return match ? [{ route, params: match.pathname.groups }] : [];
  });
  if (matches.length === 0) {
    throw new Problem("not_found", "There is nothing at this path.");
  }
  const methods = matches.flatMap(({ route: { method } }) =>
    method === "GET" ? [method, "HEAD"] : [method]
  );
  const allow = [...new Set(methods), "OPTIONS"].join(", ");
  if (request.method === "OPTIONS") {
    const asked = request.headers.get("access-control-request-headers");
    return preflight(allow, asked);
  }
  const method = request.method === "HEAD" ? "GET" : request.method;
  const found = matches.find(({ route }) => route.method === method);
  if (!found) {
    throw new Problem("method_not_allowed", `This path takes ${allow}.`, {
      headers: { allow },
    });
  }
  const { route, params } = found;
  return route.handler({ request, url, params, requestId });
}

/** A JSON answer, of the form that its route's contract has. */
export function json<T>(
  body: NoInfer<T>,
  headers: Record<string, string> = {},
  status = 200,
): Response {
  return Response.json(body, { status, headers });
}
