/** A part of a film's container: its length, its name and what is in it. */
function box(name: string, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(head.length + body.length);
  head.write(name, 4, "latin1");
  return Buffer.concat([head, body]);
}

const FTYP = box("ftyp", Buffer.from("isom\0\0\x02\0isomiso2mp41", "latin1"));
const FRAMES = box("mdat", Buffer.alloc(2_000, "frame"));

/** How an MP4 is written. */
export interface FilmOptions {
  /** 0 has lengths of 32 bits, 1 of 64. */
  version?: 0 | 1;
  scale?: number;
  /** Whether the index comes before the frames. */
  isIndexFirst?: boolean;
  isFragmented?: boolean;
  frames?: Uint8Array;
}

/** An MP4 of so many units of its time scale, of a thousandth of a second each unless it is told. */
export function mp4(
  units: number,
  {
    version = 0,
    scale = 1_000,
    isIndexFirst = true,
    isFragmented = false,
    frames = FRAMES,
  }: FilmOptions = {},
): Buffer {
  // Version and flags, then when it was made and changed.
  const mvhd = Buffer.alloc(version === 1 ? 112 : 100);
  mvhd.writeUInt8(version);
  if (version === 1) {
    mvhd.writeUInt32BE(scale, 20);
    mvhd.writeBigUInt64BE(BigInt(units), 24);
  } else {
    mvhd.writeUInt32BE(scale, 12);
    mvhd.writeUInt32BE(units, 16);
  }
  const track = box("trak", box("tkhd", Buffer.alloc(84)));
  const index = box(
    "moov",
    box("mvhd", mvhd),
    track,
    ...(isFragmented ? [box("mvex", box("trex", Buffer.alloc(24)))] : []),
  );
  return Buffer.concat([
    FTYP,
    ...(isIndexFirst ? [index, frames] : [frames, index]),
  ]);
}

/** A part of a WebM: its id, its length in 8 bytes, and what is in it. */
function element(id: number[], ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length) | 1n << 56n);
  return Buffer.concat([Buffer.from(id), size, body]);
}

/** What stands for a length that its writer did not know. */
const UNKNOWN_SIZE = Buffer.from("01ffffffffffffff", "hex");

/** How a WebM is written. */
export interface WebmOptions {
  /** How many nanoseconds a tick has, where it says so. */
  scale?: number;
  isLive?: boolean;
  bytes?: 4 | 8;
}

/** A WebM of so many ticks; undefined: it does not say. */
export function webm(
  ticks: number | undefined,
  { scale, isLive = false, bytes = 8 }: WebmOptions = {},
): Buffer {
  const number = Buffer.alloc(bytes);
  if (bytes === 8) number.writeDoubleBE(ticks ?? 0);
  else number.writeFloatBE(ticks ?? 0);
  const info = element(
    [0x15, 0x49, 0xa9, 0x66],
    ...(scale
      ? [
        element(
          [0x2a, 0xd7, 0xb1],
          Buffer.from([scale >> 16, scale >> 8, scale]),
        ),
      ]
      : []),
    ...(ticks === undefined ? [] : [element([0x44, 0x89], number)]),
    element([0x4d, 0x80], Buffer.from("test")),
  );
  const nothing = element([0xec], Buffer.alloc(40));
  const cluster = element(
    [0x1f, 0x43, 0xb6, 0x75],
    Buffer.alloc(2_000, "frame"),
  );
  const segment = [0x18, 0x53, 0x80, 0x67];
  return Buffer.concat([
    element(
      [0x1a, 0x45, 0xdf, 0xa3],
      element([0x42, 0x82], Buffer.from("webm")),
    ),
    isLive
      ? Buffer.concat([
        Buffer.from(segment),
        UNKNOWN_SIZE,
        nothing,
        info,
        cluster,
      ])
      : element(segment, nothing, info, cluster),
  ]);
}
