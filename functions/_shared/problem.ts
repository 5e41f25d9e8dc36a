import { z } from "zod";
import { DENIALS } from "./denials.ts";

/** What HTTP alone answers, and why the database does not: everything else is listed in SQL, in credits.denials. */
export const HTTP_PROBLEMS = {
  // The request does not reach the database.
  invalid_signature: { status: 400, title: "The signature does not hold" },
  unsupported_parameter: { status: 400, title: "The parameter does not pass" },
  unauthorized: { status: 401, title: "A valid access token is needed" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  request_timeout: { status: 408, title: "The body took too long" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body must be JSON" },
  service_unavailable: { status: 503, title: "Temporarily unavailable" },
  // No such path, or row level security shows the user no such row.
  not_found: { status: 404, title: "Not found" },
  // The database raises an error (PT403).
  not_allowed: { status: 403, title: "Not yours to do" },
  // The provider of payments, not the database, stands in the way.
  payment_provider_failed: {
    status: 502,
    title: "The payment provider failed",
  },
  // The project's settings name nobody to sell by: no repeat helps.
  payments_not_set_up: { status: 501, title: "Payments are not set up" },
  // The database raises an error (PT409).
  too_many_keys: { status: 409, title: "The account has too many keys" },
  // The job was charged, and has ended: the database says how.
  job_canceled: { status: 409, title: "The job was canceled" },
  job_ended: { status: 409, title: "The job has ended" },
  provider_refused: { status: 400, title: "The provider refused the request" },
  provider_failed: { status: 502, title: "The provider failed" },
  provider_timeout: { status: 504, title: "The provider took too long" },
  storage_failed: { status: 502, title: "The output could not be kept" },
  internal_error: { status: 500, title: "Something went wrong here" },
} as const;

/** Every code that an error answer can carry, with its status and title. */
export const PROBLEMS = { ...DENIALS, ...HTTP_PROBLEMS };

/** A stable code of {@link PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS;

const fieldError = z.object({ field: z.string(), message: z.string() })
  .meta({ id: "FieldError" });
/** One bad field of a request: its path, and what it must be. */
export type FieldError = z.infer<typeof fieldError>;

const credits = z.number().meta({ type: "integer" });

/** What a problem can tell beside its code. */
const problemMembers = z.object({
  errors: z.array(fieldError).describe("each bad field"),
  param: z.string().describe("the parameter that does not pass"),
  balance: credits.nullable(),
  required: credits.nullable().describe("what it costs"),
  debt: credits.describe("credits owed for a payment that was taken back"),
  affordable_output_tokens: z.number().int().nullable(),
  job_id: z.guid().nullable(),
  job_status: z.string(),
  refunded: credits,
  cost: credits,
  reason: z.string().describe("why the provider failed"),
  provider_code: z.string(),
  max_bytes: z.number().int(),
}).partial();
/** What a problem can tell beside its code; undefined members are left out. */
export type ProblemMembers = z.infer<typeof problemMembers>;

/** The body of an error, as RFC 9457 has it. */
export const problemDocument = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string().describe("the cause and what to do"),
  request_id: z.guid(),
  ...problemMembers.shape,
}).meta({ id: "Problem" });

/** What a problem can carry beside its code. */
export interface ProblemOptions {
  /** Further members of the body, such as `balance`. */
  members?: ProblemMembers;
  /** Further headers of the answer. */
  headers?: Record<string, string>;
}

/** An error that is meant for the caller, answered as RFC 9457 problem+json. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly members: ProblemMembers;
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

  /** The HTTP status. */
  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /** The answer; `requestId` lets the caller and the logs speak of the same request. */
  toResponse(requestId: string): Response {
    const { status, title } = PROBLEMS[this.code];
    const body: z.infer<typeof problemDocument> = {
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

/** Nobody is there to sell by: `remedy` names what to set. */
export function paymentsNotSetUp(remedy: string): Problem {
  const detail = `Payments are not set up: ${remedy}`;
  return new Problem("payments_not_set_up", detail);
}

/** What the database says about a request that it denies. */
export interface Refusal {
  code: string | null;
  message: string | null;
  errors?: FieldError[] | null;
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
  if (!code || !isProblemCode(code)) {
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
  members: ProblemMembers = {},
): Problem {
  return new Problem("service_unavailable", detail, {
    members,
    headers: { "retry-after": "5" },
  });
}
