import { digestOf } from "./contours.ts";
import { encodeWav } from "./wav.ts";

const SAMPLE_RATE = 8_000;
/** A sixteenth of a second for each character: about as fast as people speak. */
const SAMPLES_PER_CHARACTER = SAMPLE_RATE / 16;
const LOUDNESS = 8_000;
const LOWEST_HERTZ = 110;
/** A pentatonic scale, in semitones: any order of its tones is bearable. */
const SCALE = [0, 2, 4, 7, 9, 12, 14, 16];

/** A WAV file with one tone for each letter, the same for the same text and voice; what is no letter is silent. */
export async function speakTones(
  text: string,
  voice: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const [shift = 0] = await digestOf(voice);
  const characters = [...text];
  const samples = new Int16Array(characters.length * SAMPLES_PER_CHARACTER);
  characters.forEach((character, at) => {
    if (!/[\p{L}\p{N}]/u.test(character)) return;
    const tone = toneOf(character.codePointAt(0)!, shift);
    samples.set(tone, at * SAMPLES_PER_CHARACTER);
  });
  return encodeWav(samples, SAMPLE_RATE);
}

const tones = new Map<number, Int16Array>();

/** The tone of a letter: its place in the scale, the voice says how high the scale begins. */
function toneOf(letter: number, shift: number): Int16Array {
  const semitones = SCALE[letter % SCALE.length]! + shift % 12;
  const known = tones.get(semitones);
  if (known) return known;
  const step = (2 * Math.PI * LOWEST_HERTZ * 2 ** (semitones / 12)) /
    SAMPLE_RATE;
  const made = Int16Array.from(
    { length: SAMPLES_PER_CHARACTER },
    // It swells and fades, so that no tone begins or ends with a click.
    (_, at) =>
      LOUDNESS * Math.sin(step * at) *
      Math.sin((Math.PI * at) / SAMPLES_PER_CHARACTER),
  );
  tones.set(semitones, made);
  return made;
}
