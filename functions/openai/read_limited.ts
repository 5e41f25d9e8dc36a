import { LimitedBytesTransformStream } from "@std/streams/limited-bytes-transform-stream";

/**
 * Reads a body as text.
 *
 * @throws RangeError where it has more bytes than that
 */
export async function readLimited(
  { body }: Response | Request,
  maxBytes: number,
): Promise<string> {
  if (!body) return "";
  const limit = new LimitedBytesTransformStream(maxBytes, { error: true });
  return await new Response(body.pipeThrough(limit)).text();
}
