// Tokens travel in a header, never in a cookie, so any origin may call:
// a foreign page has nothing that a browser would add on its own.
const ORIGIN = { "access-control-allow-origin": "*" };

const ALLOWED_HEADERS = [
  "authorization",
  "apikey",
  "content-type",
  "idempotency-key",
  "x-client-info",
  "x-supabase-api-version",
  "x-region",
  "traceparent",
  "tracestate",
  "baggage",
].join(", ");

const EXPOSED_HEADERS = [
  "x-request-id",
  "location",
  "retry-after",
  "ratelimit",
  "ratelimit-policy",
  "idempotency-replayed",
  "x-should-retry",
  "x-credits-job-id",
  "x-credits-reserved",
  "x-credits-cost",
  "x-credits-balance",
].join(", ");

const PREFLIGHT_MAX_AGE_SECONDS = 7200;

/** Adds what a browser needs to read this answer from another origin. */
export function withCors(response: Response): Response {
  response.headers.set("access-control-expose-headers", EXPOSED_HEADERS);
  for (const [name, value] of Object.entries(ORIGIN)) {
    response.headers.set(name, value);
  }
  return response;
}

// What tracing adds is some 300 bytes; a gateway cuts off an answer whose headers have more than 8 KiB.
const MAX_ASKED_BYTES = 2048;
// RFC 9110, 5.6.2: nothing that could end a header or begin another.
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~-]+(\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;

/**
 * The answer to OPTIONS for a path that takes these methods. `asked` is the header
 * access-control-request-headers: an app's tracing adds headers that nobody here knows.
 */
export function preflight(allow: string, asked: string | null): Response {
  const isEchoed = asked && asked.length <= MAX_ASKED_BYTES &&
    HEADER_NAMES.test(asked);
  return new Response(null, {
    status: 204,
    headers: {
      allow,
      "access-control-allow-methods": allow,
      "access-control-allow-headers": isEchoed
        ? `${ALLOWED_HEADERS}, ${asked}`
        : ALLOWED_HEADERS,
      "vary": "access-control-request-headers",
      "access-control-max-age": String(PREFLIGHT_MAX_AGE_SECONDS),
    },
  });
}
