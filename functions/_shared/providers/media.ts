/** What a provider is asked to make: pictures, a video or speech. */
export type MediaRequest = ImagesToMake | VideoToMake | SpeechToMake;

interface ToMake {
  /** The model by the provider's own name for it. */
  providerModel: string;
  /** What to make, or the text to speak. */
  prompt: string;
  /** How long the provider may take, in milliseconds. */
  timeoutMs: number;
}

/** Pictures to make. */
export interface ImagesToMake extends ToMake {
  type: "image";
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** How many. */
  n: number;
  seed?: number;
}

/** A video to make. */
export interface VideoToMake extends ToMake {
  type: "video";
  /** How long it shall be. */
  seconds: number;
  /** Pixels, where a size was asked for. */
  width?: number;
  /** Pixels, where a size was asked for. */
  height?: number;
  /** Such as 16:9, where that was asked for. */
  aspectRatio?: string;
  /** Where the provider can fetch the first frame, for a short while. */
  imageUrl?: string;
  seed?: number;
}

/** A text to speak. */
export interface SpeechToMake extends ToMake {
  type: "speech";
  voice?: string;
  /** Such as wav or mp3. */
  format: string;
}

/** A file as a provider made it, before it is kept. Its type is what its first bytes say. */
export interface MadeFile {
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  /** Its length in bytes, where it is known beforehand. */
  bytes?: number;
  /** How long a video or speech is, where its maker knows it. */
  seconds?: number;
}

/** A file that is kept in Storage, as the job lists it. */
// A type, not an interface: only a type can be passed on as JSON.
export type StoredOutput = {
  /** Within the bucket: `<account>/<job>/<n>.<extension>`. */
  path: string;
  media_type: string;
  bytes: number;
  /** Pixels. */
  width?: number;
  /** Pixels. */
  height?: number;
  /** Of video or speech. */
  seconds?: number;
};
