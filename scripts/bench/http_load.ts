// A process of its own, so that it shares no event loop with what it measures.
// Usage: node scripts/run.mjs bench/http_load <url> <seconds> <token> … ; prints HttpLoad as JSON.

import type { Terminal } from "../terminal.ts";

/** What a load over HTTP came to. Latencies in milliseconds. */
export interface HttpLoad {
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

const WARM_UP_MS = 1000;
const BODY = JSON.stringify({
  prompt: "a lighthouse at dusk",
  width: 64,
  height: 64,
});

/** Sends one request after the other over a kept connection, as one user. */
async function sendUntil(
  end: number,
  url: string,
  token: string,
): Promise<{ at: number; ms: number }[]> {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
  };
  const answers = [];
  while (performance.now() < end) {
    const at = performance.now();
    const answer = await fetch(url, { method: "POST", headers, body: BODY });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
    answers.push({ at, ms: performance.now() - at });
  }
  return answers;
}

/** Sends requests for as long as told. */
export async function main(
  { args: [url, seconds, ...tokens] }: Terminal,
): Promise<number> {
  const from = performance.now() + WARM_UP_MS;
  const end = from + Number(seconds) * 1000;
  const answers = await Promise.all(
    tokens.map((token) => sendUntil(end, url!, token)),
  );
  const latencies = answers.flat().filter(({ at }) => at >= from)
    .map(({ ms }) => ms).sort((a, b) => a - b);
  const percentile = (share: number) =>
    latencies[Math.floor(share * (latencies.length - 1))] ?? NaN;
  const load: HttpLoad = {
    requestsPerSecond: latencies.length / Number(seconds),
    p50: percentile(0.5),
    p95: percentile(0.95),
    p99: percentile(0.99),
  };
  console.log(JSON.stringify(load));
  return 0;
}
