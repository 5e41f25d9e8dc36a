import type { ChargeResult } from "./results.ts";

const POLICY = '"default"';

/**
 * RateLimit and RateLimit-Policy as in the IETF draft: `q` requests in `w`
 * seconds, of which `r` are left for the next `t` seconds. Empty where the
 * result was reached before the limit was asked (a replay, say).
 */
export function rateLimitHeaders(
  result: ChargeResult,
): Record<string, string> {
  const { rate_limit, rate_window_seconds, rate_remaining } = result;
  if (rate_limit === null || rate_remaining === null) return {};
  const resetSeconds = result.retry_after_seconds ??
    result.rate_reset_seconds ?? 0;
  return {
    "ratelimit": `${POLICY};r=${rate_remaining};t=${resetSeconds}`,
    "ratelimit-policy": `${POLICY};q=${rate_limit};w=${rate_window_seconds}`,
  };
}

/** Retry-After in whole seconds, where the result says when to come back. */
export function retryAfterHeader(
  result: ChargeResult,
): Record<string, string> {
  return result.retry_after_seconds === null
    ? {}
    : { "retry-after": String(result.retry_after_seconds) };
}
