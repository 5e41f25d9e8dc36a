/** Reads a file from its beginning; throws a RangeError beyond what there is of it. */
type Reader = (view: DataView) => number | undefined;

const BOX_HEAD = 8;
const EBML_SEGMENT = 0x18538067;
const EBML_INFO = 0x1549a966;
const EBML_SCALE = 0x2ad7b1;
const EBML_DURATION = 0x4489;
const MAX_NUMBER_BYTES = 8;
const NANOSECONDS = 1_000_000_000;
/** What WebM counts in, where it does not say. */
const USUAL_SCALE = 1_000_000;

/** How long an MP4 is, where its index is within these first bytes. Undefined of one whose fragments follow. */
export const mp4Seconds = from((view) => {
  const moov = findBox(view, "moov", 0, view.byteLength);
  // One that is fragmented has no length of its own.
  if (!moov || findBox(view, "mvex", moov.start, moov.end)) return undefined;
  const mvhd = findBox(view, "mvhd", moov.start, moov.end);
  if (!mvhd) return undefined;
  const isLong = view.getUint8(mvhd.start) === 1;
  const scale = view.getUint32(mvhd.start + (isLong ? 20 : 12));
  const duration = isLong
    ? Number(view.getBigUint64(mvhd.start + 24))
    : view.getUint32(mvhd.start + 16);
  const isUnknown = !isLong && duration === 0xffffffff;
  return isUnknown ? undefined : duration / scale;
});

/** How long a WebM is, where it says so within these first bytes. */
export const webmSeconds = from((view) => {
  const end = view.byteLength;
  const segment = findElement(view, EBML_SEGMENT, 0, end);
  const info = segment && findElement(view, EBML_INFO, segment.start, end);
  const duration = info &&
    findElement(view, EBML_DURATION, info.start, info.end);
  if (!duration) return undefined;
  const scale = findElement(view, EBML_SCALE, info.start, info.end);
  const ticks = duration.end - duration.start === 8
    ? view.getFloat64(duration.start)
    : view.getFloat32(duration.start);
  const perTick = scale
    ? unsigned(view, scale.start, scale.end - scale.start)
    : USUAL_SCALE;
  return ticks * perTick / NANOSECONDS;
});

/** A head that breaks off, or says what cannot be, says nothing. */
function from(read: Reader): (head: Uint8Array) => number | undefined {
  return ({ buffer, byteOffset, byteLength }) => {
    try {
      const seconds = read(new DataView(buffer, byteOffset, byteLength)) ?? 0;
      return seconds > 0 && Number.isFinite(seconds)
        ? Math.round(seconds * 1000) / 1000
        : undefined;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  };
}

interface Part {
  /** Of its contents. */
  start: number;
  end: number;
}

/** Finds a box of an MP4; a box before it is passed over by its size. */
function findBox(
  view: DataView,
  name: string,
  from: number,
  to: number,
): Part | undefined {
  for (let at = from; at < to;) {
    const start = at + BOX_HEAD;
    const size = view.getUint32(at);
    // Not within these bytes: it goes on to the end, or has a size of 64 bits.
    if (size < BOX_HEAD || at + size > to) return undefined;
    const letters = [4, 5, 6, 7].map((byte) => view.getUint8(at + byte));
    if (String.fromCharCode(...letters) === name) {
      return { start, end: at + size };
    }
    at += size;
  }
  return undefined;
}

/** Finds an element of a WebM; one before it is passed over by its size. */
function findElement(
  view: DataView,
  id: number,
  from: number,
  to: number,
): Part | undefined {
  for (let at = from; at < to;) {
    const idLength = lengthAt(view, at);
    const sizeLength = lengthAt(view, at + idLength);
    const start = at + idLength + sizeLength;
    // Without the bit that tells its length.
    const first = view.getUint8(at + idLength) & 0xff >> sizeLength;
    const end = start +
      unsigned(view, at + idLength + 1, sizeLength - 1, first);
    if (unsigned(view, at, idLength) === id) return { start, end };
    at = end;
  }
  return undefined;
}

/** How many bytes a number has that tells its length by its first bits. */
function lengthAt(view: DataView, at: number): number {
  const length = Math.clz32(view.getUint8(at)) - 23;
  if (length > MAX_NUMBER_BYTES) throw new RangeError("no such number");
  return length;
}

/** More than 53 bits lose their lowest: such a size is beyond any file. */
function unsigned(
  view: DataView,
  at: number,
  length: number,
  first = 0,
): number {
  let value = first;
  for (let byte = 0; byte < length; byte++) {
    value = value * 256 + view.getUint8(at + byte);
  }
  return value;
}
