import { encodeBase64 } from "@std/encoding/base64";
import {
  boundedFetch,
  MAX_IMAGE_BYTES,
  MAX_RESPONSE_BYTES,
} from "./bounded_fetch.ts";
import type { CallbackProvider } from "./callback_provider.ts";
import { type GeneratedImage, inspect } from "./images.ts";
import { ProviderError } from "./provider.ts";

/** How long all pictures of a job may take, in milliseconds. */
const DOWNLOAD_MS = 20_000;

/**
 * Fetches as many pictures as were asked for, one after the other, from nowhere but the
 * provider's own places.
 *
 * @throws {ProviderError} connection or timeout where it may do better later; else what is
 * wrong with them for good
 */
export async function downloadImages(
  provider: Pick<CallbackProvider, "keepsFilesAt">,
  urls: readonly string[],
  n: number,
): Promise<GeneratedImage[]> {
  const places = urls.slice(0, n).map((url) => URL.parse(url));
  const isSound = places.length === n &&
    places.every((url) => url !== null && provider.keepsFilesAt(url));
  if (!isSound) throw new ProviderError("broken_response");
  const signal = AbortSignal.timeout(DOWNLOAD_MS);
  const images: GeneratedImage[] = [];
  let left = MAX_RESPONSE_BYTES;
  for (const url of places) {
    const bytes = await download(url!, Math.min(left, MAX_IMAGE_BYTES), signal);
    left -= bytes.length;
    images.push(inspect(encodeBase64(bytes)));
  }
  return images;
}

async function download(
  url: URL,
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    const response = await boundedFetch(url, { signal }, limit);
    const { ok, status } = response;
    if (ok) return await response.bytes();
    await response.body?.cancel();
    const isPassing = status >= 500 || status === 429;
    throw new ProviderError(
      isPassing ? "connection" : "provider_error",
      status,
    );
  } catch (error) {
    throw signal.aborted ? new ProviderError("timeout") : error;
  }
}
