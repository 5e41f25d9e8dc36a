import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createRemoteJWKSet } from "jose";

/** How far a timestamp may be from now, in seconds. */
const TOLERANCE_SECONDS = 5 * 60;
/** fal wants its keys to be fetched anew at least once a day. */
const KEYS_MS = 24 * 60 * 60 * 1000;
/** How long keys are trusted to be all there are: a signature of none of them asks for new ones after it. */
const COOLDOWN_MS = 30_000;

/** What a signature is about. */
interface SignedMessage {
  message: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/**
 * Verifies callbacks of fal: Ed25519 over the request's id, the user's id, the timestamp and the
 * body's SHA-256, with a key of its set. The set is kept for a day at most; a signature of none of
 * its keys has it fetched again, since fal may have a new one.
 *
 * @param keys where the JWKS is
 * @returns a function that throws where the keys are needed and cannot be fetched
 */
export function falVerifier(keys: URL) {
  const set = createRemoteJWKSet(keys, {
    cacheMaxAge: KEYS_MS,
    cooldownDuration: COOLDOWN_MS,
  });
  const isSignedByKnown = async (signed: SignedMessage) => {
    for (const { kty, crv, x } of set.jwks()?.keys ?? []) {
      if (kty !== "OKP" || crv !== "Ed25519") continue;
      if (await isSignedBy({ kty, crv, x }, signed)) return true;
    }
    return false;
  };
  return async (
    headers: Headers,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<boolean> => {
    const signed = signedMessage(headers, body);
    if (!signed) return false;
    if (!set.fresh) await set.reload();
    if (await isSignedByKnown(signed)) return true;
    if (set.coolingDown) return false;
    await set.reload();
    return await isSignedByKnown(signed);
  };
}

function signedMessage(
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
): SignedMessage | undefined {
  const read = (name: string) => headers.get(`x-fal-webhook-${name}`) ?? "";
  const timestamp = read("timestamp");
  const signature = read("signature");
  if (!/^\d{1,12}$/.test(timestamp) || !/^[0-9a-f]{128}$/i.test(signature)) {
    return undefined;
  }
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (age > TOLERANCE_SECONDS) return undefined;
  const digest = createHash("sha256").update(body).digest("hex");
  const parts = [read("request-id"), read("user-id"), timestamp, digest];
  return {
    message: new TextEncoder().encode(parts.join("\n")),
    signature: Uint8Array.from(Buffer.from(signature, "hex")),
  };
}

async function isSignedBy(
  jwk: JsonWebKey,
  { message, signature }: SignedMessage,
): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, [
      "verify",
    ]);
    return await crypto.subtle.verify("Ed25519", key, signature, message);
  } catch {
    return false;
  }
}
