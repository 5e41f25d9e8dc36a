const HEADER_BYTES = 44;
const BYTES_PER_SAMPLE = 2;

/** A WAV file: one channel of 16-bit samples. */
export function encodeWav(
  samples: Int16Array,
  sampleRate: number,
): Uint8Array<ArrayBuffer> {
  const dataBytes = samples.length * BYTES_PER_SAMPLE;
  const file = new Uint8Array(HEADER_BYTES + dataBytes);
  const view = new DataView(file.buffer);
  const text = (at: number, letters: string) =>
    file.set(new TextEncoder().encode(letters), at);
  text(0, "RIFF");
  view.setUint32(4, file.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  // Samples as they are, of one channel.
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * BYTES_PER_SAMPLE, true);
  view.setUint16(32, BYTES_PER_SAMPLE, true);
  view.setUint16(34, BYTES_PER_SAMPLE * 8, true);
  text(36, "data");
  view.setUint32(40, dataBytes, true);
  // Little-endian, as every machine that runs this.
  new Int16Array(file.buffer, HEADER_BYTES).set(samples);
  return file;
}

/** How long a WAV is, by the bytes that it has: a header that was streamed says too many. Undefined for another file. */
export function wavSeconds(file: Uint8Array): number | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const text = (at: number) =>
    String.fromCharCode(...file.subarray(at, at + 4));
  if (text(0) !== "RIFF" || text(8) !== "WAVE") return undefined;
  let bytesPerSecond = 0;
  for (let at = 12; at + 8 <= file.length;) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (text(at) === "fmt " && start + 12 <= file.length) {
      bytesPerSecond = view.getUint32(start + 8, true);
    } else if (text(at) === "data") {
      const bytes = Math.min(size, file.length - start);
      return bytesPerSecond > 0 ? bytes / bytesPerSecond : undefined;
    }
    // A chunk of an odd length has one byte more.
    at = start + size + size % 2;
  }
  return undefined;
}
