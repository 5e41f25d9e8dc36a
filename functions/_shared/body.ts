import { concat } from "@std/bytes/concat";
import { z } from "zod";
import { type FieldError, invalidRequest, Problem } from "./problem.ts";

/** Largest body of a request, in bytes: the longest prompt fits also where a client escapes each of its characters in twelve. */
const MAX_BODY_BYTES = 512 * 1024;

// A body that is too large is read to its end all the same: a connection closed in the
// middle of it would reach many a client as a network error instead of the 413.
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024;

/** Longest that a body may take to arrive, in milliseconds: {@link MAX_BODY_BYTES} at 420 kbit/s. */
const BODY_TIMEOUT_MS = 10_000;

/**
 * Reads a JSON body and checks it.
 *
 * @throws {Problem} 415 for another content type, 413 above
 * {@link MAX_BODY_BYTES}, 408 for one that does not arrive in time, 400
 * `invalid_request` for anything the schema refuses.
 */
export async function readBody<T>(
  request: Request,
  schema: z.ZodType<T>,
): Promise<T> {
  const { value } = await readJsonBody(request, MAX_BODY_BYTES);
  return parseFields(schema, value);
}

/** Reads a JSON body, as {@link readBody} does, without checking what it says. */
export async function readJsonBody(
  request: Request,
  maxBytes: number,
): Promise<{ value: unknown; bytes: Uint8Array<ArrayBuffer> }> {
  requireJson(request.headers);
  const bytes = await readBytes(request, maxBytes);
  return { value: parseJson(decodeUtf8(bytes)), bytes };
}

/**
 * Checks values that a caller sent.
 *
 * @throws {Problem} 400 `invalid_request` that names each bad field.
 */
export function parseFields<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidRequest(
    "The request has fields that are not valid; errors names each of them.",
    result.error.issues.flatMap(toFieldErrors),
  );
}

/** Text that Postgres can keep: no NUL and no half of a surrogate pair. */
export function storableText(): z.ZodString {
  return z.string("must be text").refine(
    (text) => text.isWellFormed() && !text.includes("\0"),
    "must be valid Unicode text without NUL",
  );
}

/** A whole number within these bounds. */
export function wholeNumber(min: number, max: number): z.ZodInt {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
}

function requireJson(headers: Headers): void {
  const [mediaType = ""] = (headers.get("content-type") ?? "").split(";");
  const encoding = headers.get("content-encoding") ?? "identity";
  if (mediaType.trim().toLowerCase() !== "application/json") {
    throw new Problem(
      "unsupported_media_type",
      "Send the body with content-type: application/json.",
    );
  }
  if (encoding !== "identity") {
    throw new Problem(
      "unsupported_media_type",
      "Send the body as it is, without a content-encoding.",
    );
  }
}

/**
 * Reads a body as it came.
 *
 * @throws {Problem} 413 above `maxBytes`, 408 for one that does not arrive in time, 400
 * `invalid_request` for one that breaks off.
 */
export async function readBytes(
  { body }: Request,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  const reader = body.getReader();
  // Counted as it streams: content-length is only what the caller claims.
  let size = 0;
  let isLate = false;
  // The read at hand then ends as if the body did.
  const stop = () => reader.cancel().catch(() => {});
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, BODY_TIMEOUT_MS);
  try {
    for (let next; !(next = await reader.read()).done;) {
      size += next.value.length;
      if (size <= maxBytes) chunks.push(next.value);
      if (size > MAX_DISCARDED_BYTES) stop();
    }
  } catch {
    throw brokenBody();
  } finally {
    clearTimeout(timer);
  }
  if (size > maxBytes) throw tooLarge(maxBytes);
  if (isLate) throw tooSlow();
  return concat(chunks);
}

function tooLarge(maxBytes: number): Problem {
  return new Problem(
    "body_too_large",
    `The body may have up to ${maxBytes} bytes.`,
    { members: { max_bytes: maxBytes } },
  );
}

function tooSlow(): Problem {
  const seconds = BODY_TIMEOUT_MS / 1000;
  return new Problem(
    "request_timeout",
    `The body did not arrive within ${seconds} seconds. Nothing was charged.`,
  );
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw brokenBody();
  }
}

/**
 * Parses a body that has been read.
 *
 * @throws {Problem} 400 `invalid_request` where it is no JSON
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw brokenBody();
  }
}

function brokenBody(): Problem {
  const message = "must be a JSON object in UTF-8";
  return invalidRequest(`The body ${message}.`, [{ field: "body", message }]);
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: path ? `${path}.${key}` : key,
      message: "is not a field of this request",
    }));
  }
  return [{ field: path || "body", message: issue.message }];
}
