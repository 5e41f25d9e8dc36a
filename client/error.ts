/** Codes that the client itself gives; every other one is a code of the HTTP interface. */
export type ClientErrorCode =
  /** No answer came. */
  | "network_error"
  /** What answered is not Atomic Credits: a gateway, or no function of this name. */
  | "http_error"
  /** The generation has not ended within `timeoutMs`; it goes on, and `details.job_id` names it. */
  | "wait_timeout";

/** A stable code: {@link ClientErrorCode}, or one of docs/http.md#errors. */
export type CreditsErrorCode =
  | ClientErrorCode
  | "insufficient_credits"
  | "member_cap_reached"
  | "price_changed"
  | "rate_limited"
  | "provider_failed"
  | "provider_timeout"
  | "job_canceled"
  | "unauthorized"
  | "payments_not_set_up"
  // Every other code; written so that an editor still offers the ones above.
  | (string & Record<never, never>);

/** What a {@link CreditsError} is made of. */
export interface CreditsErrorFields {
  code: CreditsErrorCode;
  message: string;
  status?: number;
  requestId?: string | null;
  details?: Record<string, unknown>;
  retryAfterSeconds?: number | null;
  cause?: unknown;
}

/** Everything that a call throws, unless its own signal ended it. */
export class CreditsError extends Error {
  override readonly name = "CreditsError";
  /** What happened, in a word that stays the same. */
  readonly code: CreditsErrorCode;
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** Finds the request in logs and in `credit_request_trail`. */
  readonly requestId: string | null;
  /** What else the answer says: `balance`, `required`, `errors`, `job_id`, `reason`, … */
  readonly details: Readonly<Record<string, unknown>>;
  /** When it may be tried again, where the answer says so. */
  readonly retryAfterSeconds: number | null;

  constructor(fields: CreditsErrorFields) {
    super(fields.message, { cause: fields.cause });
    this.code = fields.code;
    this.status = fields.status ?? 0;
    this.requestId = fields.requestId ?? null;
    this.details = fields.details ?? {};
    this.retryAfterSeconds = fields.retryAfterSeconds ?? null;
  }

  /** Whether the same call may do better later. A call that was repeated in vain says so too. */
  get isRetryable(): boolean {
    return this.code === "request_in_flight" ||
      this.code === "payment_provider_failed" || this.status === 429 ||
      mayRepeat(this);
  }
}

/** Whether it is open what became of the request, or nothing did: then it is repeated with the same key. */
export function mayRepeat({ code, status }: CreditsError): boolean {
  const isGateway = code === "http_error" && status >= 500;
  return code === "network_error" || isGateway || status === 408 ||
    status === 503;
}

/** Reads what supabase-js says of a call that failed. */
export async function toCreditsError(error: unknown): Promise<CreditsError> {
  const { context } = error as { context?: unknown };
  if (!isAnswer(context)) {
    return new CreditsError({
      code: "network_error",
      message: "No answer came. Check the connection, and try again.",
      cause: context ?? error,
    });
  }
  const { status, headers } = context;
  const body = await context.json().catch(() => null) ?? {};
  // Only what says so is an answer of ours: a gateway may name codes of its own.
  const isProblem = headers.get("content-type")?.includes("problem+json");
  const retryAfterSeconds = secondsOf(headers.get("retry-after"));
  // So is an error of the function `openai`, which has the form of OpenAI.
  if (body.error?.metadata?.request_id) {
    const known = { status, retryAfterSeconds, cause: error };
    return fromOpenAi(body.error, known);
  }
  const {
    type: _,
    title,
    status: _same,
    code,
    detail,
    request_id,
    ...details
  } = isProblem ? body : { ...body, detail: body.message };
  return new CreditsError({
    code: isProblem ? code : "http_error",
    message: detail ?? title ?? `The function answered ${status}.`,
    status,
    requestId: request_id ?? headers.get("x-request-id"),
    details,
    retryAfterSeconds,
    cause: error,
  });
}

/** Reads an error in the form of OpenAI: an answer's, or an event's of a stream. */
export function fromOpenAi(
  { message, code, metadata }: {
    message: string;
    code: string;
    metadata?: Record<string, unknown>;
  },
  known: Partial<CreditsErrorFields> = {},
): CreditsError {
  const { request_id, ...details } = metadata ?? {};
  const requestId = request_id as string | undefined;
  return new CreditsError({ ...known, code, message, requestId, details });
}

function isAnswer(context: unknown): context is Response {
  return typeof (context as Response | null)?.status === "number";
}

function secondsOf(retryAfter: string | null): number | null {
  const seconds = parseInt(retryAfter ?? "", 10);
  return seconds >= 0 ? seconds : null;
}
