/** Every code that an error answer can carry, with its status and title. */
const PROBLEMS = {
  invalid_request: { status: 400, title: "The request is not valid" },
  invalid_model: { status: 400, title: "The model is not available" },
  unauthorized: { status: 401, title: "A valid access token is needed" },
  insufficient_credits: { status: 402, title: "Not enough credits" },
  member_cap_reached: { status: 402, title: "Your monthly cap is reached" },
  account_closed: { status: 403, title: "The account is closed" },
  not_a_member: { status: 403, title: "You are not a member" },
  not_allowed_to_spend: { status: 403, title: "Your role does not allow it" },
  not_allowed: { status: 403, title: "Not yours to do" },
  model_not_in_plan: { status: 403, title: "Not in your plan" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  request_timeout: { status: 408, title: "The body took too long" },
  price_changed: { status: 409, title: "It costs more than max_cost" },
  request_in_flight: { status: 409, title: "The request is still running" },
  job_canceled: { status: 409, title: "The job was canceled" },
  job_ended: { status: 409, title: "The job has ended" },
  job_running: { status: 409, title: "The job is still running" },
  cancels_used_up: { status: 409, title: "No cancel is left today" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body must be JSON" },
  idempotency_key_reused: { status: 422, title: "The key is taken" },
  rate_limited: { status: 429, title: "Too many requests" },
  too_many_jobs: { status: 429, title: "Too many jobs at a time" },
  internal_error: { status: 500, title: "Something went wrong here" },
  provider_failed: { status: 502, title: "The provider failed" },
  service_unavailable: { status: 503, title: "Temporarily unavailable" },
  provider_timeout: { status: 504, title: "The provider took too long" },
} as const;

/** A stable code of {@link PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS;

/** One bad field of a request: its path, and what it must be. */
export interface FieldError {
  field: string;
  message: string;
}

/** What a problem can carry beside its code. */
export interface ProblemOptions {
  /** Further members of the body, such as `balance`; undefined ones are left out. */
  members?: Record<string, unknown>;
  /** Further headers of the answer. */
  headers?: Record<string, string>;
}

/** An error that is meant for the caller, answered as RFC 9457 problem+json. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly members: Record<string, unknown>;
  readonly headers: Record<string, string>;

  /** `detail` reaches the caller: name the cause and the remedy, no secrets. */
  constructor(
    code: ProblemCode,
    detail: string,
    { members = {}, headers = {} }: ProblemOptions = {},
  ) {
    super(detail);
    this.name = "Problem";
    this.code = code;
    this.members = members;
    this.headers = headers;
  }

  /** The answer; `requestId` lets the caller and the logs speak of the same request. */
  toResponse(requestId: string): Response {
    const { status, title } = PROBLEMS[this.code];
    const body = {
      type: `urn:problem:atomic-credits:${this.code}`,
      title,
      status,
      code: this.code,
      detail: this.message,
      request_id: requestId,
      ...this.members,
    };
    return new Response(JSON.stringify(body), {
      status,
      headers: { ...this.headers, "content-type": "application/problem+json" },
    });
  }
}

/** What the database says about a request that it denies. */
export interface Refusal {
  code: string;
  message: string | null;
  errors: FieldError[] | null;
}

/**
 * Maps a denial of the database to an HTTP problem.
 *
 * @throws where its code is not one of {@link PROBLEMS}
 */
export function problemOf(
  { code, message, errors }: Refusal,
  { members, headers }: ProblemOptions = {},
): Problem {
  if (!isProblemCode(code)) {
    throw new Error(`the database answered with unknown code ${code}`);
  }
  return new Problem(code, message ?? "", {
    members: { ...members, ...(errors && { errors }) },
    headers,
  });
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}

/** A 400 that names every bad field. */
export function invalidRequest(detail: string, errors: FieldError[]): Problem {
  return new Problem("invalid_request", detail, { members: { errors } });
}

/** A 503: the database cannot be reached. `detail` says what that means for credits. */
export function serviceUnavailable(
  detail: string,
  members: Record<string, unknown> = {},
): Problem {
  return new Problem("service_unavailable", detail, {
    members,
    headers: { "retry-after": "5" },
  });
}
