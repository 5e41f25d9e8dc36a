import { readLimited } from "./read_limited.ts";
import { failureOfAnswer, toFailure, UpstreamFailure } from "./failure.ts";
import type { Upstream } from "./upstreams.ts";

/** What is read of a refusal. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * Sends a request to its provider.
 *
 * @returns its answer with status 200, whose body has not been read
 * @throws {UpstreamFailure}; ClientGone where the client hung up
 */
export async function callUpstream(
  upstream: Upstream | undefined,
  path: string,
  body: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Response> {
  if (!upstream) throw new UpstreamFailure("invalid_key");
  let response: Response;
  try {
    // The client may have left while it was charged.
    signal.throwIfAborted();
    response = await upstream.send(path, body, signal);
  } catch (error) {
    throw toFailure(error, signal);
  }
  if (response.status === 200) return response;
  const text = await readLimited(response, MAX_REFUSAL_BYTES).catch(() => "");
  throw failureOfAnswer(response, parse(text));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
