import { z } from "zod";
import { Problem, problemDocument } from "../_shared/problem.ts";

// Types as OpenAI's clients know them.
const TYPES: Record<number, string> = {
  401: "authentication_error",
  402: "insufficient_quota",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

/** The body of an error as OpenAI's clients read it. */
export const openAiErrorBody = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    code: z.string(),
    param: z.string().nullable().describe("the field that is wrong"),
    metadata: problemDocument.omit({
      type: true,
      title: true,
      status: true,
      code: true,
      detail: true,
      param: true,
    }),
  }),
}).meta({ id: "OpenAiError" });
/** The body of an error as OpenAI's clients read it. */
export type OpenAiError = z.infer<typeof openAiErrorBody>;

/** A problem in OpenAI's form. */
export function openAiError(problem: Problem, requestId: string): OpenAiError {
  const { code, status, members: { param, errors, ...others } } = problem;
  const [first] = errors ?? [];
  const type = TYPES[status] ??
    (status >= 500 ? "server_error" : "invalid_request_error");
  const message = first && code === "invalid_request"
    ? `${first.field} ${first.message}.`
    : problem.message;
  return {
    error: {
      message,
      type,
      code,
      param: param ?? first?.field ?? null,
      metadata: { request_id: requestId, ...others, ...(first && { errors }) },
    },
  };
}

/** Answers a problem in OpenAI's form. */
export function answerOpenAiError(
  problem: Problem,
  requestId: string,
): Response {
  return Response.json(openAiError(problem, requestId), {
    status: problem.status,
    headers: {
      ...(!canDoBetter(problem) && { "x-should-retry": "false" }),
      ...problem.headers,
    },
  });
}

// What a client would repeat without being told; of a 409 there are two kinds.
function canDoBetter({ code, status }: Problem): boolean {
  if (status === 409) return code === "request_in_flight";
  return status === 408 || status === 429 || status >= 500;
}
