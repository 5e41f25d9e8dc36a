import { concat } from "deno-std/bytes/concat.js";

/** Up to 256 colors as [red, green, blue], 0 to 255 each. */
export type Palette = [red: number, green: number, blue: number][];

/** The eight bytes that every PNG begins with. */
export const PNG_SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

const BIT_DEPTH = 8;
const INDEXED_COLOR = 3;

/**
 * Encodes pixels that are numbers of palette colors, row by row.
 * One byte a pixel and the runtime's own deflate: a megapixel in some tens of milliseconds.
 */
export async function encodeIndexedPng(
  width: number,
  height: number,
  palette: Palette,
  pixels: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([BIT_DEPTH, INDEXED_COLOR], 8);
  return concat([
    new Uint8Array(PNG_SIGNATURE),
    chunk("IHDR", header),
    chunk("PLTE", new Uint8Array(palette.flat())),
    chunk("IDAT", await deflate(withFilterBytes(width, height, pixels))),
    chunk("IEND", new Uint8Array()),
  ]);
}

/** Each row is preceded by the number of its filter: 0, none. */
function withFilterBytes(
  width: number,
  height: number,
  pixels: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++) {
    const row = pixels.subarray(y * width, (y + 1) * width);
    rows.set(row, y * (width + 1) + 1);
  }
  return rows;
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(
    new CompressionStream("deflate"),
  );
  return await new Response(stream).bytes();
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
