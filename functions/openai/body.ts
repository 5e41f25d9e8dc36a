import { readJsonBody } from "../_shared/body.ts";

/** Largest body of a chat request, in bytes: pictures come with it. */
export const MAX_CHAT_BYTES = 8 * 1024 * 1024;

/** A body as JSON, and its hash. */
export interface HashedBody {
  value: unknown;
  sha256: string;
}

/** Reads a request's body, which may have pictures. */
export async function readHashedBody(request: Request): Promise<HashedBody> {
  const { value, bytes } = await readJsonBody(request, MAX_CHAT_BYTES);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  const sha256 = [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { value, sha256 };
}
