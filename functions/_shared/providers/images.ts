import { concat } from "@std/bytes/concat";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { JPG } from "image-size/types/jpg";
import { PNG } from "image-size/types/png";
import { WEBP } from "image-size/types/webp";
import { makeFiles } from "./make_files.ts";
import { type Provider, ProviderError } from "./provider.ts";

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
  const files = await makeFiles(provider, { ...request, type: "image" });
  return files.map(({ body }) => inspect(encodeBase64(body as Uint8Array)));
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** The longest side of an image, in pixels: that of the longest JPEG. */
const MAX_SIDE = 65_535;

/** The types of images that are passed on, and no other. */
const FORMATS = [
  // Its chunk IHDR, of 13 bytes, is always the first, and has the size.
  {
    mediaType: "image/png",
    magic: { offset: 0, bytes: bytesOf("\x89PNG\r\n\x1a\n\0\0\0\rIHDR") },
    headBytes: 24,
    reader: PNG,
  },
  // A color profile, a preview or a proof of origin may come before the size.
  {
    mediaType: "image/jpeg",
    magic: { offset: 0, bytes: bytesOf("\xff\xd8\xff") },
    headBytes: 256 * 1024,
    reader: {
      calculate: (head: Uint8Array) => JPG.calculate(withoutFill(head)),
    },
  },
  {
    mediaType: "image/webp",
    magic: { offset: 8, bytes: bytesOf("WEBP") },
    headBytes: 30,
    reader: WEBP,
  },
];

/** Shorter than any image, and enough to tell {@link FORMATS} apart. */
const MIN_CHARACTERS = 32;

/**
 * What an image is, and its size, by its own first bytes.
 *
 * @throws {ProviderError} broken_response for what is no image, or of a size that none has
 */
export function inspect(base64: string): GeneratedImage {
  if (base64.length < MIN_CHARACTERS || !BASE64.test(base64)) {
    throw new ProviderError("broken_response");
  }
  const start = decodeBase64(base64.slice(0, MIN_CHARACTERS));
  const format = FORMATS.find(({ magic: { offset, bytes } }) =>
    bytes.every((byte, at) => start[offset + at] === byte)
  );
  if (!format) throw new ProviderError("broken_response");
  return { base64, mediaType: format.mediaType, ...sizeOf(base64, format) };
}

function sizeOf(
  base64: string,
  { headBytes, reader }: (typeof FORMATS)[number],
): Pick<GeneratedImage, "width" | "height"> {
  try {
    const head = decodeBase64(base64.slice(0, Math.ceil(headBytes / 3) * 4));
    const { width, height } = reader.calculate(head);
    if (isSide(width) && isSide(height)) return { width, height };
  } catch {
    // It breaks off before its size, or has none.
  }
  throw new ProviderError("broken_response");
}

/** A JPEG's segments without the fill bytes (0xff) that may stand before each: image-size knows none. */
function withoutFill(jpeg: Uint8Array): Uint8Array {
  const parts = [jpeg.subarray(0, 2)];
  let at = 2;
  while (jpeg[at] === 0xff) {
    while (jpeg[at + 1] === 0xff) at++;
    const end = at + 2 + ((jpeg[at + 2] ?? 0) << 8 | (jpeg[at + 3] ?? 0));
    parts.push(jpeg.subarray(at, end));
    at = end;
  }
  return concat(parts);
}

function isSide(pixels: number): boolean {
  return pixels > 0 && pixels <= MAX_SIDE;
}

function bytesOf(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}
