import { LimitedBytesTransformStream } from "deno-std/streams/limited_bytes_transform_stream.js";
import { ProviderError } from "./provider.ts";

/** Largest answer of a provider, in bytes: ten large images as base64. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/**
 * `fetch` for calls to providers: follows no redirect, since that would carry the
 * key elsewhere, and reads a bounded answer to its end.
 *
 * @throws {ProviderError} connection, provider_error or broken_response; the
 * signal's own reason where the call was aborted.
 */
export async function boundedFetch(
  input: RequestInfo | URL,
  init: RequestInit = {},
): Promise<Response> {
  const response = await connect(input, init);
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new ProviderError("provider_error", response.status);
  }
  const { status, statusText, headers } = response;
  return new Response(await readBounded(response, init.signal), {
    status,
    statusText,
    headers,
  });
}

async function connect(
  input: RequestInfo | URL,
  init: RequestInit,
): Promise<Response> {
  try {
    return await fetch(input, { ...init, redirect: "manual" });
  } catch {
    init.signal?.throwIfAborted();
    throw new ProviderError("connection");
  }
}

async function readBounded(
  response: Response,
  signal?: AbortSignal | null,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!response.body) return null;
  const limit = new LimitedBytesTransformStream(MAX_RESPONSE_BYTES, {
    error: true,
  });
  try {
    return await new Response(response.body.pipeThrough(limit)).bytes();
  } catch (error) {
    signal?.throwIfAborted();
    const isTooLarge = error instanceof RangeError;
    throw new ProviderError(
      isTooLarge ? "broken_response" : "connection",
      response.status,
    );
  }
}
