/** Why a provider's answer did not come, or broke off. */
export type FailureReason =
  | "invalid_key"
  | "quota"
  | "content_policy"
  | "refused"
  | "provider_error"
  | "broken_response"
  | "connection"
  | "timeout";

// Fixed texts: what a provider writes may hold parts of its key, or tell what is behind a model.
const MESSAGES: Record<FailureReason, string> = {
  invalid_key: "The provider's key is missing or was refused.",
  quota: "The provider's own quota or rate limit is used up.",
  content_policy:
    "The provider refused the prompt because of its content policy.",
  refused: "The provider refused the request as it is.",
  provider_error: "The provider could not answer.",
  broken_response: "The provider's answer could not be used.",
  connection: "The connection to the provider failed.",
  timeout: "The provider did not answer in time.",
};

/** A provider's failure in our own words: `message` is safe to show. */
export class UpstreamFailure extends Error {
  readonly reason: FailureReason;
  /** HTTP status of the provider's answer, where there was one. */
  readonly providerStatus?: number;
  /** What of the request it refused, in the provider's code, such as `context_length_exceeded`. */
  readonly providerCode?: string;
  /** Seconds after which the provider wants to be asked again. */
  readonly retryAfter?: number;

  constructor(
    reason: FailureReason,
    details: Pick<
      UpstreamFailure,
      "providerStatus" | "providerCode" | "retryAfter"
    > = {},
  ) {
    super(MESSAGES[reason]);
    this.name = "UpstreamFailure";
    this.reason = reason;
    this.providerStatus = details.providerStatus;
    this.providerCode = details.providerCode;
    this.retryAfter = details.retryAfter;
  }

  /** The problem code that it is answered and kept with. */
  get code(): "provider_refused" | "provider_timeout" | "provider_failed" {
    if (this.reason === "timeout") return "provider_timeout";
    return this.reason === "refused" || this.reason === "content_policy"
      ? "provider_refused"
      : "provider_failed";
  }

  /** Whether the same request can do better when it is repeated. */
  get isRepeatable(): boolean {
    return !["invalid_key", "refused", "content_policy"].includes(this.reason);
  }
}

/** Why the client's own signal ended a call. */
export class ClientGone extends Error {}

/** Any error of a call, as one of ours. */
export function toFailure(
  error: unknown,
  signal: AbortSignal,
): UpstreamFailure | ClientGone {
  if (error instanceof UpstreamFailure) return error;
  if (signal.reason instanceof ClientGone) return signal.reason;
  if (signal.aborted) return new UpstreamFailure("timeout");
  return new UpstreamFailure(
    error instanceof RangeError ? "broken_response" : "connection",
  );
}

const CONTENT_POLICY = /content_?policy|content_?filter|moderation|safety/i;
const REFUSALS = [400, 404, 413, 415, 422];
const PLAIN_CODE = /^[a-z][a-z0-9_]{1,63}$/;
const MAX_RETRY_AFTER_SECONDS = 3600;

/** What a provider's answer other than 200 says. */
export function failureOfAnswer(
  { status, headers }: Response,
  body: unknown,
): UpstreamFailure {
  const { error } = (body ?? {}) as {
    error?: { code?: unknown; type?: unknown };
  };
  const code = `${error?.code ?? ""} ${error?.type ?? ""}`;
  const seconds = Number(headers.get("retry-after") ?? NaN);
  const details = {
    providerStatus: status,
    ...(PLAIN_CODE.test(String(error?.code)) && {
      providerCode: String(error?.code),
    }),
    ...(seconds > 0 && seconds <= MAX_RETRY_AFTER_SECONDS && {
      retryAfter: Math.ceil(seconds),
    }),
  };
  return new UpstreamFailure(reasonOf(status, code), details);
}

function reasonOf(status: number, code: string): FailureReason {
  if (status === 401 || status === 403) return "invalid_key";
  if (status === 402 || status === 429) return "quota";
  if (!REFUSALS.includes(status)) return "provider_error";
  return CONTENT_POLICY.test(code) ? "content_policy" : "refused";
}
