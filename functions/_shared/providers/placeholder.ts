import type { ImageModelV3, SpeechModelV3 } from "@ai-sdk/provider";
import { abortable } from "@std/async/abortable";
import { encode } from "fast-png";
import { digestOf, drawContours, paletteOf } from "./contours.ts";
import { drawVideo } from "./placeholder_video.ts";
import { type Provider, ProviderError } from "./provider.ts";
import { speakTones } from "./tones.ts";

const MAX_IMAGES_PER_CALL = 10;
const COLORS = 32;
// Takes twice the time of the library's own level, and half the bytes: they are kept with the job.
const COMPRESSION_LEVEL = 6;

/** A model that fails, after the time that a provider takes: so an app can show what a refund looks like. */
const FAILING = "placeholder-failing";
const FAILS_AFTER_MS = 2_500;

/**
 * Makes real PNGs, GIFs and WAVs without a key: the same prompt, seed and size give the same
 * picture or video, the same text and voice the same tones.
 */
export const placeholderProvider: Provider = {
  imageModel,
  speechModel,
  makeVideo: drawVideo,
};

function imageModel(modelId: string): ImageModelV3 {
  return {
    specificationVersion: "v3",
    provider: "placeholder",
    modelId,
    maxImagesPerCall: MAX_IMAGES_PER_CALL,
    doGenerate: async (options) => {
      if (modelId === FAILING) await failSlowly(options.abortSignal);
      const { prompt = "", n, seed = 0, size = "1024x1024" } = options;
      const [width = 0, height = 0] = size.split("x").map(Number);
      const images: Uint8Array[] = [];
      for (let index = 0; index < n; index++) {
        const digest = await digestOf(`${seed}:${index}:${prompt}`);
        images.push(drawPicture(width, height, digest));
      }
      return { images, warnings: [], response: answeredNow(modelId) };
    },
  };
}

async function failSlowly(signal = new AbortController().signal) {
  await abortable(
    new Promise((resolve) => setTimeout(resolve, FAILS_AFTER_MS)),
    signal,
  );
  throw new ProviderError("provider_error");
}

function speechModel(modelId: string): SpeechModelV3 {
  return {
    specificationVersion: "v3",
    provider: "placeholder",
    modelId,
    doGenerate: async ({ text, voice = "" }) => ({
      audio: await speakTones(text, voice),
      warnings: [],
      response: answeredNow(modelId),
    }),
  };
}

function answeredNow(modelId: string) {
  return { timestamp: new Date(), modelId, headers: undefined };
}

function drawPicture(
  width: number,
  height: number,
  digest: Uint8Array,
): Uint8Array {
  return encode({
    width,
    height,
    data: drawContours(width, height, digest, COLORS),
    channels: 1,
    palette: paletteOf(digest, COLORS),
  }, { zlib: { level: COMPRESSION_LEVEL } });
}
