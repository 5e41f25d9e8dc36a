/** An RGB color. */
export type Color = [number, number, number];

const WAVES = 3;

/** All numbers of a drawing or a tone come from this digest of its text. */
export async function digestOf(text: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Contour bands of a few crossing waves, whose numbers come from the digest: one level a pixel, below `levels`. */
export function drawContours(
  width: number,
  height: number,
  digest: Uint8Array,
  levels: number,
): Uint8Array {
  const across = wave(width, digest.subarray(0, 8));
  const down = wave(height, digest.subarray(8, 16));
  const slanted = wave(width + height, digest.subarray(16, 24));
  const pixels = new Uint8Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    const row = down[y]!;
    for (let x = 0; x < width; x++) {
      const level = (across[x]! + row + slanted[x + y]!) / WAVES;
      pixels[at++] = level * levels;
    }
  }
  return pixels;
}

/** A sine with a few periods over the length, between 0 and just below 1. */
function wave(length: number, numbers: Uint8Array): Float64Array {
  const [periods = 0, phase = 0] = numbers;
  const step = (2 * Math.PI * (1 + periods % 5)) / length;
  const start = (2 * Math.PI * phase) / 256;
  return Float64Array.from(
    { length },
    (_, at) => 0.499 * (1 + Math.sin(start + step * at)),
  );
}

/** So many steps from one color of the digest to another. */
export function paletteOf(digest: Uint8Array, steps: number): Color[] {
  const from = digest.subarray(24, 27);
  const to = digest.subarray(27, 30);
  return Array.from({ length: steps }, (_, step) => {
    const share = step / (steps - 1);
    const mix = (channel: number) =>
      Math.round(from[channel]! * (1 - share) + to[channel]! * share);
    return [mix(0), mix(1), mix(2)];
  });
}
