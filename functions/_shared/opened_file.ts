import { concat } from "@std/bytes/concat";
import { HEAD_BYTES } from "./media_types.ts";
import type { MadeFile } from "./providers/media.ts";
import { ProviderError } from "./providers/provider.ts";
import { toStream } from "./to_stream.ts";

/** A file whose first bytes have been read, and whose bytes are counted as they stream. */
export interface OpenedFile {
  head: Uint8Array;
  /** All of it. A stream can be read once. */
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  /** How many bytes there are, as far as it has been read. */
  bytes: () => number;
  /** Why its stream broke off, where it did. */
  failure: () => ProviderError | undefined;
  /** Tells the sender that nobody reads on. */
  cancel: () => Promise<void>;
}

/**
 * Reads the head of a file, which as a whole is never in memory if it streams.
 *
 * @param maxBytes more than that is a broken response
 * @throws {ProviderError} where the head breaks off or is too large
 */
export async function openFile(
  { body, bytes: told = 0 }: MadeFile,
  maxBytes: number,
): Promise<OpenedFile> {
  const source = body instanceof Uint8Array ? undefined : body.getReader();
  const cancel = async () => await source?.cancel().catch(() => {});
  const known = body instanceof Uint8Array ? body.length : told;
  if (known > maxBytes) {
    await cancel();
    throw new ProviderError("broken_response");
  }
  if (!source) return wholeFile(body as Uint8Array<ArrayBuffer>);
  let count = 0;
  let failure: ProviderError | undefined;
  const read = async () => {
    const { value } = await source.read().catch(() => {
      throw failure = new ProviderError("connection");
    });
    count += value?.length ?? 0;
    if (count <= maxBytes) return value;
    await cancel();
    throw failure = new ProviderError("broken_response");
  };
  const first: Uint8Array[] = [];
  while (count < HEAD_BYTES) {
    const chunk = await read();
    if (!chunk) return wholeFile(concat(first));
    first.push(chunk);
  }
  const head = concat(first);
  const chunks = async function* () {
    yield head;
    for (let chunk; (chunk = await read());) yield chunk;
  };
  return {
    head,
    body: toStream(chunks(), cancel),
    bytes: () => count,
    failure: () => failure,
    cancel,
  };
}

function wholeFile(body: Uint8Array<ArrayBuffer>): OpenedFile {
  return {
    head: body.subarray(0, HEAD_BYTES),
    body,
    bytes: () => body.length,
    failure: () => undefined,
    cancel: () => Promise.resolve(),
  };
}
