import { jwtVerify, SignJWT } from "jose";
import { Webhook } from "standardwebhooks";
import { parseJson, readBytes } from "./body.ts";
import { Problem } from "./problem.ts";

/** Largest body of a callback, in bytes: it carries addresses and logs, not pictures. */
const MAX_CALLBACK_BYTES = 1024 * 1024;

/**
 * Where a provider calls back about a job. The signature of a callback covers its body alone, so
 * the address proves by itself which job it was made for.
 *
 * @param functionsUrl where the functions are, for instance `https://<ref>.supabase.co/functions/v1`
 */
export async function callbackAddress(
  functionsUrl: string,
  provider: string,
  jobId: string,
  secret: string,
): Promise<string> {
  const base = functionsUrl.replace(/\/+$/, "");
  const url = new URL(`${base}/provider-webhook/${provider}`);
  const token = await new SignJWT().setProtectedHeader({ alg: "HS256" })
    .setAudience(provider).setSubject(jobId).sign(addressKey(secret));
  url.searchParams.set("token", token);
  return url.href;
}

/**
 * Reads a callback to an address that was made for a job, and parses it once it is known to be
 * signed by the job's provider, within the last five minutes.
 *
 * @returns the body as JSON, and the job's id
 * @throws {Problem} 401 `unauthorized` for another address, before the body is read, or without
 * such a signature; 413, 408 and 400 as for any body
 */
export async function readSignedCallback(
  request: Request,
  provider: string,
  secrets: readonly string[],
): Promise<{ jobId: string; body: unknown }> {
  const token = new URL(request.url).searchParams.get("token") ?? "";
  const jobId = await addressedJob(token, provider, secrets);
  if (!jobId) throw unsigned();
  // Bytes that are no UTF-8 change by this, and then their signature does not hold.
  const text = new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(await readBytes(request, MAX_CALLBACK_BYTES));
  const headers = Object.fromEntries(request.headers);
  if (!secrets.some((secret) => isSigned(text, headers, secret))) {
    throw unsigned();
  }
  return { jobId, body: parseJson(text) };
}

function unsigned(): Problem {
  return new Problem(
    "unauthorized",
    "A callback carries webhook-id, webhook-timestamp and webhook-signature of its provider, and comes to the address that the provider was given.",
    { headers: { "www-authenticate": "Standard-Webhooks" } },
  );
}

function isSigned(
  text: string,
  headers: Record<string, string>,
  secret: string,
): boolean {
  try {
    new Webhook(secret).verify(text, headers, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
}

/** The job that one of our own addresses is for. */
async function addressedJob(
  token: string,
  provider: string,
  secrets: readonly string[],
): Promise<string | undefined> {
  for (const secret of secrets) {
    try {
      const { payload } = await jwtVerify(token, addressKey(secret), {
        algorithms: ["HS256"],
        audience: provider,
      });
      return payload.sub;
    } catch {
      // Another secret may have made it.
    }
  }
  return undefined;
}

function addressKey(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}
