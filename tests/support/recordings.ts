import omggif from "omggif";

/** What a decoder of GIFs says of one. */
export interface Gif {
  width: number;
  height: number;
  /** How long one round takes. */
  seconds: number;
  /** 0: it plays for ever. */
  loops: number;
  /** The colors of each frame's pixels, RGBA. */
  frames: Uint8Array[];
}

/** Of omggif, which has no types. */
interface GifReader {
  width: number;
  height: number;
  numFrames(): number;
  loopCount(): number;
  frameInfo(frame: number): { delay: number };
  decodeAndBlitFrameRGBA(frame: number, pixels: Uint8Array): void;
}

/** Decodes every frame; throws for what is no whole GIF. */
export function readGif(file: Uint8Array): Gif {
  const { GifReader } = omggif as unknown as {
    GifReader: new (file: Uint8Array) => GifReader;
  };
  const gif = new GifReader(file);
  const { width, height } = gif;
  const numbers = Array.from({ length: gif.numFrames() }, (_, at) => at);
  const frames = numbers.map((number) => {
    const pixels = new Uint8Array(width * height * 4);
    gif.decodeAndBlitFrameRGBA(number, pixels);
    return pixels;
  });
  const hundredths = numbers.map((number) => gif.frameInfo(number).delay);
  const seconds = hundredths.reduce((sum, delay) => sum + delay) / 100;
  return { width, height, seconds, loops: gif.loopCount(), frames };
}

/** What the header of a WAV says, and its samples. */
export interface Wav {
  format: string;
  channels: number;
  sampleRate: number;
  bitsPerSample: number;
  seconds: number;
  samples: Int16Array;
}

/** Reads a WAV of 16-bit samples; throws where its lengths do not agree with its bytes. */
export function readWav(file: Uint8Array): Wav {
  const bytes = Buffer.from(file);
  const [channels, sampleRate] = [
    bytes.readUInt16LE(22),
    bytes.readUInt32LE(24),
  ];
  const [byteRate, blockAlign] = [
    bytes.readUInt32LE(28),
    bytes.readUInt16LE(32),
  ];
  const bitsPerSample = bytes.readUInt16LE(34);
  const dataBytes = bytes.readUInt32LE(40);
  const agrees = bytes.readUInt32LE(4) === bytes.length - 8 &&
    dataBytes === bytes.length - 44 &&
    bytes.readUInt32LE(16) === 16 && bytes.readUInt16LE(20) === 1 &&
    blockAlign === channels * bitsPerSample / 8 &&
    byteRate === blockAlign * sampleRate;
  if (!agrees) throw new Error("The header of this WAV does not hold.");
  return {
    format: [0, 8, 12, 36].map((at) => bytes.toString("latin1", at, at + 4))
      .join(" "),
    channels,
    sampleRate,
    bitsPerSample,
    seconds: dataBytes / byteRate,
    samples: new Int16Array(bytes.buffer.slice(bytes.byteOffset + 44)),
  };
}
