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

/** The answer to OPTIONS for a path that takes these methods. */
export function preflight(allow: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      allow,
      "access-control-allow-methods": allow,
      "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-max-age": String(PREFLIGHT_MAX_AGE_SECONDS),
    },
  });
}
