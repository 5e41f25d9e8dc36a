import { jwtVerify } from "jose";
import { withRange } from "./range.ts";
import { listLevel, sign, signMany } from "./answers.ts";
import { inTurns } from "./turns.ts";

type Answerer = (request: Request) => Promise<Response>;

/** An object's signed address, to read from or to write to: a POST makes it. */
const SIGNED = /^\/storage\/v1\/object\/(upload\/)?sign\/[^/]+\/./;
const SIGNING_MANY = /^\/storage\/v1\/object\/sign\/[^/]+$/;
/** What an upload writes: its bucket and path. */
const UPLOAD = /^\/storage\/v1\/object\/(?:upload\/sign\/)?([^/]+\/.+)$/;
const WRITING = /^(POST|PUT)$/;
const LISTING = /^\/storage\/v1\/object\/list\//;

/**
 * Storage as a hosted project answers it, which is what supabase-js reads. Storage of `@supabase/lite` 0.10 differs:
 *
 * - it names a signed URL `signedUrl`, where supabase-js 2.109 reads `signedURL`, and `url` for an upload;
 * - it signs one at a time;
 * - it knows no upload as multipart/form-data under the name that supabase-js gives it, and none to a signed URL;
 * - it answers a token that is out of date with 500;
 * - it lists all objects below a folder, not those in it;
 * - it answers an upload with 500 where another to the same path is on its way;
 * - it answers HEAD and Range with the whole object.
 *
 * Each of these can go when a later version has it right: tests/storage.test.ts says then whether it does.
 */
export function inHostedForm(answer: Answerer, jwtSecret: string): Answerer {
  const secret = new TextEncoder().encode(jwtSecret);
  const inTurn = inTurns();
  return async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method === "OPTIONS") return await answer(request);
    if (request.method !== "POST" && SIGNED.test(pathname)) {
      const refusal = await refuseToken(searchParams.get("token"), secret);
      if (refusal) return refusal;
    }
    switch (request.method) {
      case "GET":
        return await readPart(request, answer);
      case "HEAD":
        return await readNothing(request, answer);
      case "POST":
        if (SIGNED.test(pathname)) return await sign(request, answer);
        if (SIGNING_MANY.test(pathname)) return await signMany(request, answer);
        if (LISTING.test(pathname)) return await listLevel(request, answer);
    }
    const send = async () => await answer(await asRawUpload(request));
    const [, object] = UPLOAD.exec(pathname) ?? [];
    return object && WRITING.test(request.method)
      ? await inTurn(object, send)
      : await send();
  };
}

/** A hosted project's answer to a token that is no longer good, or never was. */
async function refuseToken(
  token: string | null,
  secret: Uint8Array,
): Promise<Response | undefined> {
  try {
    await jwtVerify(token ?? "", secret, { algorithms: ["HS256"] });
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    return Response.json(
      { statusCode: "400", error: "InvalidJWT", message },
      { status: 400, headers: { "access-control-allow-origin": "*" } },
    );
  }
}

async function readPart(
  request: Request,
  answer: Answerer,
): Promise<Response> {
  const whole = await withRange(request, () => answer(request));
  return whole.headers.has("content-range")
    ? new Response(whole.body, { status: 206, headers: whole.headers })
    : whole;
}

async function readNothing(
  request: Request,
  answer: Answerer,
): Promise<Response> {
  const { url, headers } = request;
  const whole = await answer(new Request(url, { headers }));
  // Closes the object's file.
  await whole.body?.cancel();
  return new Response(null, whole);
}

/**
 * An upload with its bytes as body. What comes as multipart/form-data is held in memory: browsers send a user's own
 * input so, of a few megabytes. What a function or a script streams passes through as it comes.
 */
async function asRawUpload(request: Request): Promise<Request> {
  const type = request.headers.get("content-type") ?? "";
  if (!type.startsWith("multipart/form-data")) return request;
  const form = await request.formData();
  const file = [...form.values()].find((value) => value instanceof Blob) ??
    new Blob();
  const headers = new Headers(request.headers);
  headers.set("content-length", String(file.size));
  headers.set("content-type", file.type || "application/octet-stream");
  const seconds = form.get("cacheControl");
  if (seconds) headers.set("cache-control", `max-age=${seconds}`);
  const { url, method } = request;
  return new Request(url, { method, headers, body: file });
}
