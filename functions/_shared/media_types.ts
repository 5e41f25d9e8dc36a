import { concat } from "@std/bytes/concat";
import { GIF } from "image-size/types/gif";
import { JPG } from "image-size/types/jpg";
import { PNG } from "image-size/types/png";
import { WEBP } from "image-size/types/webp";
import type { MediaRequest } from "./providers/media.ts";
import { mp4Seconds, webmSeconds } from "./video_seconds.ts";

/** How many of a file's first bytes {@link sniff} needs at most: a JPEG may have much before its size. */
export const HEAD_BYTES = 256 * 1024;

/** What a file is, by its own first bytes. */
export interface MediaType {
  mediaType: string;
  /** Of its file's name, without the dot. */
  extension: string;
  /** Which requests it may answer. */
  types: readonly MediaRequest["type"][];
  /** Pixels; of every picture. */
  width?: number;
  /** Pixels; of every picture. */
  height?: number;
  /** Of a video that says so in these bytes. */
  seconds?: number;
}

interface Format extends Omit<MediaType, "width" | "height" | "seconds"> {
  isOf: (head: Uint8Array) => boolean;
  /** Reads a picture's size. */
  size?: (head: Uint8Array) => { width: number; height: number };
  /** Reads a video's length. */
  seconds?: (head: Uint8Array) => number | undefined;
}

/** The longest side of a picture, in pixels: that of the longest JPEG. */
const MAX_SIDE = 65_535;
/** Where a WebM names its kind. */
const EBML_HEAD_BYTES = 64;
const OGG_AUDIO = /^(OpusHead|.vorbis|.FLAC)/;
const VIDEO_BRANDS = /^(isom|iso[2-9]|mp4[12]|avc1|M4V |MSNV|dash)$/;

/** The types of files that are passed on, and no other: nothing that a browser would run. */
const FORMATS: readonly Format[] = [
  {
    mediaType: "image/png",
    extension: "png",
    types: ["image"],
    // Its chunk IHDR, of 13 bytes, is always the first, and has the size.
    isOf: starts("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    size: (head) => PNG.calculate(head),
  },
  {
    mediaType: "image/jpeg",
    extension: "jpg",
    types: ["image"],
    isOf: starts("\xff\xd8\xff"),
    // A color profile, a preview or a proof of origin may come before the size.
    size: (head) => JPG.calculate(withoutFill(head)),
  },
  {
    mediaType: "image/webp",
    extension: "webp",
    types: ["image"],
    isOf: riff("WEBP"),
    size: (head) => WEBP.calculate(head),
  },
  {
    mediaType: "image/gif",
    extension: "gif",
    // It moves, so it stands for a short video.
    types: ["video"],
    isOf: (head) => /^GIF8[79]a$/.test(textAt(head, 0, 6)),
    size: (head) => GIF.calculate(head),
  },
  {
    mediaType: "video/mp4",
    extension: "mp4",
    types: ["video"],
    isOf: (head) =>
      textAt(head, 4, 4) === "ftyp" && VIDEO_BRANDS.test(textAt(head, 8, 4)),
    seconds: mp4Seconds,
  },
  {
    mediaType: "video/webm",
    extension: "webm",
    types: ["video"],
    isOf: (head) =>
      starts("\x1a\x45\xdf\xa3")(head) &&
      textAt(head, 0, EBML_HEAD_BYTES).includes("webm"),
    seconds: webmSeconds,
  },
  {
    mediaType: "audio/wav",
    extension: "wav",
    types: ["speech"],
    isOf: riff("WAVE"),
  },
  {
    mediaType: "audio/ogg",
    extension: "ogg",
    types: ["speech"],
    // An Ogg may hold video too: its first packet says what is in it.
    isOf: (head) => starts("OggS")(head) && OGG_AUDIO.test(textAt(head, 28, 8)),
  },
  {
    mediaType: "audio/flac",
    extension: "flac",
    types: ["speech"],
    isOf: starts("fLaC"),
  },
  {
    mediaType: "audio/aac",
    extension: "aac",
    types: ["speech"],
    isOf: ([first = 0, second = 0]) =>
      first === 0xff && (second & 0xf6) === 0xf0,
  },
  {
    mediaType: "audio/mpeg",
    extension: "mp3",
    types: ["speech"],
    isOf: (head) => starts("ID3")(head) || isMp3Frame(head),
  },
];

/** Shorter than any file of these types. */
const MIN_BYTES = 24;

/** What a file is, by its first {@link HEAD_BYTES}; undefined for what is not passed on, and for a picture without a size. */
export function sniff(head: Uint8Array): MediaType | undefined {
  if (head.length < MIN_BYTES) return undefined;
  const format = FORMATS.find(({ isOf }) => isOf(head));
  if (!format) return undefined;
  const { mediaType, extension, types } = format;
  const first = head.subarray(0, HEAD_BYTES);
  const seconds = format.seconds?.(first);
  const sides = format.size ? sizeOf(first, format.size) : {};
  return sides &&
    { mediaType, extension, types, ...(seconds && { seconds }), ...sides };
}

function sizeOf(head: Uint8Array, size: NonNullable<Format["size"]>) {
  try {
    const { width, height } = size(head);
    return isSide(width) && isSide(height) ? { width, height } : undefined;
  } catch {
    // It breaks off before its size, or has none.
    return undefined;
  }
}

function isSide(pixels: number): boolean {
  return pixels > 0 && pixels <= MAX_SIDE;
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

function isMp3Frame([first = 0, second = 0]: Uint8Array): boolean {
  const isLayerThree = (second & 0xe6) === 0xe2;
  const isReservedVersion = (second & 0x18) === 0x08;
  return first === 0xff && isLayerThree && !isReservedVersion;
}

function starts(magic: string): Format["isOf"] {
  return (head) => textAt(head, 0, magic.length) === magic;
}

function riff(kind: string): Format["isOf"] {
  return (head) => textAt(head, 0, 4) === "RIFF" && textAt(head, 8, 4) === kind;
}

/** Each byte as one character. */
function textAt(head: Uint8Array, start: number, length: number): string {
  return String.fromCharCode(...head.subarray(start, start + length));
}
