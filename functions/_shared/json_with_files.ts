import { concat } from "@std/bytes/concat";
import { encodeBase64 } from "@std/encoding/base64";
import { toStream } from "./to_stream.ts";

/** A file that stands in an answer as text in base64. */
export class FileContent {
  readonly stream: ReadableStream<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.stream = stream;
  }
}

type FileReader = ReadableStreamDefaultReader<Uint8Array>;

/** A JSON answer, in which each {@link FileContent} is encoded as it is sent: none is ever in memory as a whole. */
export function jsonWithFiles(
  body: unknown,
  headers: Record<string, string> = {},
  status = 200,
): Response {
  const files: FileReader[] = [];
  const mark = crypto.randomUUID();
  const text = JSON.stringify(body, (_, value) => {
    if (!(value instanceof FileContent)) return value;
    files.push(value.stream.getReader());
    return mark;
  });
  const parts = text.split(mark);
  const cancel = async () => {
    await Promise.all(files.map((file) => file.cancel().catch(() => {})));
  };
  return new Response(
    files.length === 0 ? text : toStream(chunksOf(parts, files), cancel),
    { status, headers: { "content-type": "application/json", ...headers } },
  );
}

async function* chunksOf(
  parts: readonly string[],
  files: readonly FileReader[],
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const [at, part] of parts.entries()) {
    yield encoder.encode(part);
    const file = files[at];
    if (!file) continue;
    for await (const text of toBase64(file)) yield encoder.encode(text);
  }
}

async function* toBase64(file: FileReader): AsyncGenerator<string> {
  let rest: Uint8Array = new Uint8Array();
  for (let next; !(next = await file.read()).done;) {
    const bytes = concat([rest, next.value]);
    // Only whole groups of three bytes can be followed by more.
    const whole = bytes.length - bytes.length % 3;
    yield encodeBase64(bytes.subarray(0, whole));
    rest = bytes.subarray(whole);
  }
  yield encodeBase64(rest);
}
