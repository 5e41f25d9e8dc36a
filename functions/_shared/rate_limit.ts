import type { ChargeVerdict } from "./verdicts.ts";

const POLICY = '"default"';

/**
 * RateLimit and RateLimit-Policy as in the IETF draft: `q` requests in `w`
 * seconds, of which `r` are left for the next `t` seconds. Empty where the
 * verdict was reached before the limit was asked (a replay, say).
 */
export function rateLimitHeaders(
  verdict: ChargeVerdict,
): Record<string, string> {
  const { rate_limit, rate_window_seconds, rate_remaining } = verdict;
  if (rate_limit === null || rate_remaining === null) return {};
  const resetSeconds = verdict.retry_after_seconds ??
    verdict.rate_reset_seconds ?? 0;
  return {
    "ratelimit": `${POLICY};r=${rate_remaining};t=${resetSeconds}`,
    "ratelimit-policy": `${POLICY};q=${rate_limit};w=${rate_window_seconds}`,
  };
}

/** Retry-After in whole seconds, where the verdict says when to come back. */
export function retryAfterHeader(
  verdict: ChargeVerdict,
): Record<string, string> {
  return verdict.retry_after_seconds === null
    ? {}
    : { "retry-after": String(verdict.retry_after_seconds) };
}
