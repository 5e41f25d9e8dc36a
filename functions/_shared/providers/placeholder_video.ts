import { concat } from "@std/bytes/concat";
import gifenc from "gifenc";
import { type Color, digestOf, drawContours, paletteOf } from "./contours.ts";
import type { MadeFile, VideoToMake } from "./media.ts";

/** What is used here of a package that has no types, and is CommonJS. */
interface GifEncoder {
  writeFrame(
    pixels: Uint8Array,
    width: number,
    height: number,
    options: { palette: Color[]; colorDepth: number; delay: number },
  ): void;
  /** A copy of what was written. */
  bytes(): Uint8Array;
}
type MakeEncoder = (options?: { auto: boolean }) => GifEncoder;
const loaded = gifenc as unknown as MakeEncoder & { default?: MakeEncoder };
// Some loaders import what CommonJS names its default export, others all of the module.
const GIFEncoder = loaded.default ?? loaded;

const LEVELS = 16;
const FRAMES_PER_SECOND = 10;
/** A longer video has as many, each of which is shown for longer: its file stays small. */
const MOST_FRAMES = 100;
/** Longest side where no size was asked for, in pixels. */
const LONG_SIDE = 512;
const DEFAULT_RATIO = "16:9";

// Before a frame's own colors: a control extension (8 bytes) and the picture's place and size (10).
const COLORS_AT = 18;

/** An animated GIF that plays in an endless loop: bands of color that flow along the contours of a picture. */
export async function drawVideo(request: VideoToMake): Promise<MadeFile> {
  const { prompt, seed = 0, seconds } = request;
  const [width, height] = sizeOf(request);
  const digest = await digestOf(`${seed}:video:${prompt}`);
  const levels = drawContours(width, height, digest, LEVELS);
  const colors = loopOf(paletteOf(digest, LEVELS / 2 + 1));
  const frames = Math.min(seconds * FRAMES_PER_SECOND, MOST_FRAMES);
  // In hundredths of a second, as a GIF counts.
  const delay = Math.round((seconds * 100) / frames);
  const body = encode(levels, width, height, colors, { frames, delay });
  return { body, bytes: body.length, seconds: (frames * delay) / 100 };
}

function sizeOf({ width, height, aspectRatio }: VideoToMake): [number, number] {
  if (width && height) return [width, height];
  const [across = 1, down = 1] = (aspectRatio ?? DEFAULT_RATIO).split(":")
    .map(Number);
  const unit = LONG_SIDE / Math.max(across, down);
  return [Math.round(across * unit), Math.round(down * unit)];
}

/** There and back again, so that the colors can go round. */
function loopOf(colors: Color[]): Color[] {
  return [...colors, ...colors.slice(1, -1).reverse()];
}

/** All frames have the same pixels, which are packed once, and each its own colors: one step further round. */
function encode(
  levels: Uint8Array,
  width: number,
  height: number,
  colors: Color[],
  { frames, delay }: { frames: number; delay: number },
): Uint8Array<ArrayBuffer> {
  const options = {
    palette: colors,
    colorDepth: Math.log2(LEVELS),
    delay: delay * 10,
  };
  const first = GIFEncoder();
  first.writeFrame(levels, width, height, options);
  const other = GIFEncoder({ auto: false });
  other.writeFrame(levels, width, height, options);
  const parts: Uint8Array[] = [first.bytes()];
  for (let frame = 1; frame < frames; frame++) {
    const bytes = other.bytes();
    bytes.set(turned(colors, frame).flat(), COLORS_AT);
    parts.push(bytes);
  }
  const trailer = 0x3b;
  return concat([...parts, Uint8Array.of(trailer)]);
}

function turned(colors: Color[], steps: number): Color[] {
  const at = steps % colors.length;
  return [...colors.slice(at), ...colors.slice(0, at)];
}
