import { jwtVerify, SignJWT } from "jose";
import { parseJson, readBytes } from "./body.ts";
import { FUNCTION_PREFIX } from "./function_prefix.ts";
import { Problem, serviceUnavailable } from "./problem.ts";
import type { CallbackProvider } from "./providers/callback_provider.ts";
import { ProviderError } from "./providers/provider.ts";

/** Largest body of a callback, in bytes: it carries addresses and logs, not files. */
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
  const url = new URL(`${base}/${FUNCTION_PREFIX}provider-webhook/${provider}`);
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
 * such a signature; 503 where that cannot be told now; 413, 408 and 400 as for any body
 */
export async function readSignedCallback(
  request: Request,
  name: string,
  provider: Pick<CallbackProvider, "addressSecrets" | "verify"> | undefined,
): Promise<{ jobId: string; body: unknown }> {
  const token = new URL(request.url).searchParams.get("token") ?? "";
  const jobId = provider &&
    await addressedJob(token, name, provider.addressSecrets);
  if (!jobId) throw unsigned();
  const bytes = await readBytes(request, MAX_CALLBACK_BYTES);
  const isSigned = await provider.verify(request.headers, bytes)
    .catch(explainUnverified);
  if (!isSigned) throw unsigned();
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return { jobId, body: parseJson(text) };
}

function unsigned(): Problem {
  return new Problem(
    "unauthorized",
    "A callback carries the signature of its provider, and comes to the address that the provider was given.",
    { headers: { "www-authenticate": "Provider-Signature" } },
  );
}

function explainUnverified(error: unknown): never {
  if (!(error instanceof ProviderError)) throw error;
  throw serviceUnavailable(
    "The keys of the provider cannot be fetched. Call again.",
  );
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
