import { abortable } from "@std/async/abortable";
import { decodeBase64 } from "@std/encoding/base64";
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
 * Has a provider make as many images as were asked for. Their size is the provider's: a model that
 * knows a few sizes only makes the nearest.
 *
 * @throws {ProviderError} for any failure there.
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
/** The longest side of an image, in pixels: that of the longest JPEG. */
const MAX_SIDE = 65_535;

/**
 * What an image is by its own first bytes; only a PNG's also tell its size.
 *
 * @throws {ProviderError} broken_response for what is no image, or of a size that none has
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
  const { width, height } = mediaType === "image/png" ? sizeOfPng(head) : asked;
  return { base64, mediaType, width, height };
}

function sizeOfPng(head: Uint8Array): { width: number; height: number } {
  const view = new DataView(head.buffer, head.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const isSize = [width, height].every((side) => side > 0 && side <= MAX_SIDE);
  if (!isSize) throw new ProviderError("broken_response");
  return { width, height };
}

const SIGNATURES: [mediaType: string, offset: number, bytes: number[]][] = [
  // Its chunk IHDR, of 13 bytes, is always the first, and has the size.
  ["image/png", 0, bytesOf("\x89PNG\r\n\x1a\n\0\0\0\rIHDR")],
  ["image/jpeg", 0, bytesOf("\xff\xd8\xff")],
  ["image/webp", 8, bytesOf("WEBP")],
];

function bytesOf(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

function mediaTypeOf(head: Uint8Array): string {
  const found = SIGNATURES.find(([, offset, bytes]) =>
    bytes.every((byte, at) => head[offset + at] === byte)
  );
  if (!found) throw new ProviderError("broken_response");
  return found[0];
}
