import { abortable } from "@std/async/abortable";
import {
  experimental_generateSpeech as generateSpeech,
  type GeneratedFile,
  generateImage,
} from "ai";
import { toProviderError } from "./classify.ts";
import type {
  ImagesToMake,
  MadeFile,
  MediaRequest,
  SpeechToMake,
  VideoToMake,
} from "./media.ts";
import { type Provider, ProviderError } from "./provider.ts";
import { wavSeconds } from "./wav.ts";

// What the AI SDK would print (a seed that a model does not take, say) is no one's news here.
globalThis.AI_SDK_LOG_WARNINGS = false;

/**
 * Has a provider make what was asked for, within the request: as many files as were asked for,
 * pictures, a video or speech. Their size, length and format are the provider's: a model that knows a few
 * sizes only makes the nearest.
 *
 * @throws {ProviderError} for any failure there
 */
export async function makeFiles(
  provider: Provider | undefined,
  request: MediaRequest,
): Promise<MadeFile[]> {
  const signal = AbortSignal.timeout(request.timeoutMs);
  try {
    // A model that ignores its signal must not hold the job beyond its limit.
    return await abortable(make(provider ?? {}, request, signal), signal);
  } catch (error) {
    throw signal.aborted
      ? new ProviderError("timeout")
      : toProviderError(error);
  }
}

async function make(
  provider: Provider,
  request: MediaRequest,
  signal: AbortSignal,
): Promise<MadeFile[]> {
  switch (request.type) {
    case "image":
      return await makeImages(provider, request, signal);
    case "speech":
      return [await makeSpeech(provider, request, signal)];
    case "video":
      return [await makeVideo(provider, request, signal)];
  }
}

// A second try would be a second bill for the same job.
const ONCE = { maxRetries: 0 };

async function makeImages(
  provider: Provider,
  { providerModel, prompt, n, width, height, seed }: ImagesToMake,
  abortSignal: AbortSignal,
): Promise<MadeFile[]> {
  if (!provider.imageModel) throw new ProviderError("provider_error");
  const { images } = await generateImage({
    model: provider.imageModel(providerModel),
    prompt,
    n,
    size: `${width}x${height}`,
    seed,
    abortSignal,
    ...ONCE,
  });
  if (images.length < n) throw new ProviderError("broken_response");
  return images.slice(0, n).map(toFile);
}

async function makeSpeech(
  provider: Provider,
  { providerModel, prompt, voice, format }: SpeechToMake,
  abortSignal: AbortSignal,
): Promise<MadeFile> {
  if (!provider.speechModel) throw new ProviderError("provider_error");
  const { audio } = await generateSpeech({
    model: provider.speechModel(providerModel),
    text: prompt,
    voice,
    outputFormat: format,
    abortSignal,
    ...ONCE,
  });
  const file = toFile(audio);
  return { ...file, seconds: wavSeconds(file.body) };
}

async function makeVideo(
  provider: Provider,
  request: VideoToMake,
  signal: AbortSignal,
): Promise<MadeFile> {
  if (!provider.makeVideo) throw new ProviderError("provider_error");
  return await provider.makeVideo(request, signal);
}

function toFile(file: GeneratedFile) {
  const body = bytesOf(file);
  return { body, bytes: body.length };
}

/** The SDK decodes base64 when it is asked for the bytes. */
function bytesOf(file: GeneratedFile): Uint8Array<ArrayBuffer> {
  try {
    return file.uint8Array as Uint8Array<ArrayBuffer>;
  } catch {
    throw new ProviderError("broken_response");
  }
}
