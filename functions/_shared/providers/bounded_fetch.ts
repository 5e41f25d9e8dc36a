import { LimitedBytesTransformStream } from "@std/streams/limited-bytes-transform-stream";
import { ProviderError } from "./provider.ts";

const MEBIBYTE = 1024 * 1024;

/** Largest image in an answer, in bytes; as base64 they carry 12 MiB. */
export const MAX_IMAGE_BYTES = 16 * MEBIBYTE;

/** What a function's memory bears, in bytes, however many images were asked for. */
export const MAX_RESPONSE_BYTES = 64 * MEBIBYTE;

/**
 * `fetch` for calls to providers: follows no redirect, since that would carry the
 * key elsewhere, and reads an answer that is no larger, unpacked, than the images asked for
 * may be.
 *
 * @param limit most bytes of the answer, where the request does not tell
 * @throws {ProviderError} connection, provider_error or broken_response; the
 * signal's own reason where the call was aborted.
 */
export async function boundedFetch(
  input: RequestInfo | URL,
  init: RequestInit = {},
  limit = maxBytes(init.body),
): Promise<Response> {
  const response = await connectTo(input, init);
  const { status, statusText, headers } = response;
  return new Response(await readBounded(response, limit, init.signal), {
    status,
    statusText,
    headers,
  });
}

/**
 * `fetch` that follows no redirect, and whose answer streams.
 *
 * @throws {ProviderError} connection, or provider_error for a redirect; the signal's own reason
 * where the call was aborted
 */
export async function connectTo(
  input: RequestInfo | URL,
  init: RequestInit,
): Promise<Response> {
  const response = await fetch(input, { ...init, redirect: "manual" })
    .catch((error) => {
      init.signal?.throwIfAborted();
      throw new ProviderError("connection", undefined, wasReached(error));
    });
  if (response.status < 300 || response.status >= 400) return response;
  await response.body?.cancel();
  throw new ProviderError("provider_error", response.status);
}

// As Deno and Node say that there was no connection.
const NOT_REACHED =
  /\(Connect\)|dns error|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT/;

/** Whether a call that failed had a connection, so that it may have arrived. */
function wasReached(error: Error): boolean {
  const { message, code } = (error.cause ?? {}) as Partial<
    Record<"message" | "code", string>
  >;
  return !NOT_REACHED.test(`${error.message} ${message} ${code}`);
}

/** What the answer to a request in JSON may have: its `n` images. */
function maxBytes(body: RequestInit["body"]): number {
  const { n = 1 } = typeof body === "string" ? JSON.parse(body) : {};
  return Math.min(n * MAX_IMAGE_BYTES, MAX_RESPONSE_BYTES);
}

async function readBounded(
  response: Response,
  maxBytes: number,
  signal?: AbortSignal | null,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!response.body) return null;
  const limit = new LimitedBytesTransformStream(maxBytes, { error: true });
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
