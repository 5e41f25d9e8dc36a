import { abortable } from "deno-std/async/abortable.js";
import { decodeBase64 } from "deno-std/encoding/base64.js";
import { generateImage } from "ai";
import { toProviderError } from "./classify.ts";
import { type Provider, ProviderError } from "./provider.ts";

// What the AI SDK would print (a seed that a model does not take, say) is no one's news here.
globalThis.AI_SDK_LOG_WARNINGS = false;

/** Images to make. */
export interface ImageRequest {
  providerModel: string;
  prompt: string;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** How many. */
  n: number;
  seed?: number;
  /** How long the provider may take, in milliseconds. */
  timeoutMs: number;
}

/** A finished image. */
export interface GeneratedImage {
  base64: string;
  mediaType: string;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
}

/**
 * Has a provider make exactly the images that were asked for.
 *
 * @throws {ProviderError} for whatever goes wrong there.
 */
export async function makeImages(
  provider: Provider | undefined,
  request: ImageRequest,
): Promise<GeneratedImage[]> {
  if (!provider) throw new ProviderError("provider_error");
  const signal = AbortSignal.timeout(request.timeoutMs);
  try {
    // A model that ignores its signal must not hold the job beyond its limit.
    const files = await abortable(callModel(provider, request, signal), signal);
    if (files.length < request.n) throw new ProviderError("broken_response");
    return files.slice(0, request.n).map((base64: string) =>
      inspect(base64, request)
    );
  } catch (error) {
    throw signal.aborted
      ? new ProviderError("timeout")
      : toProviderError(error);
  }
}

async function callModel(
  provider: Provider,
  request: ImageRequest,
  abortSignal: AbortSignal,
): Promise<string[]> {
  const { images } = await generateImage({
    model: provider.imageModel(request.providerModel),
    prompt: request.prompt,
    n: request.n,
    size: `${request.width}x${request.height}`,
    seed: request.seed,
    abortSignal,
    // A second try would be a second bill for the same job.
    maxRetries: 0,
  });
  return images.map((image) => image.base64);
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const HEAD_CHARACTERS = 32;

/**
 * What an image is by its own first bytes; only a PNG's also tell its size.
 *
 * @throws {ProviderError} broken_response for what is no image
 */
export function inspect(
  base64: string,
  asked: Pick<ImageRequest, "width" | "height">,
): GeneratedImage {
  if (base64.length < HEAD_CHARACTERS || !BASE64.test(base64)) {
    throw new ProviderError("broken_response");
  }
  const head: Uint8Array = decodeBase64(base64.slice(0, HEAD_CHARACTERS));
  const mediaType = mediaTypeOf(head);
  const view = new DataView(head.buffer, head.byteOffset);
  const [width, height] = mediaType === "image/png"
    ? [view.getUint32(16), view.getUint32(20)]
    : [asked.width, asked.height];
  return { base64, mediaType, width, height };
}

const SIGNATURES: [mediaType: string, offset: number, bytes: number[]][] = [
  ["image/png", 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/jpeg", 0, [0xff, 0xd8, 0xff]],
  ["image/webp", 8, [0x57, 0x45, 0x42, 0x50]],
];

function mediaTypeOf(head: Uint8Array): string {
  const found = SIGNATURES.find(([, offset, bytes]) =>
    bytes.every((byte, at) => head[offset + at] === byte)
  );
  if (!found) throw new ProviderError("broken_response");
  return found[0];
}
