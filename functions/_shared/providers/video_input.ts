import type { VideoToMake } from "./media.ts";

/** What a model calls the parts of a request for a video. */
export interface VideoNames {
  /** Where the first frame is. */
  image: string;
  /** How long the video shall be, as the model wants it written. */
  seconds: (seconds: number) => Record<string, unknown>;
  /** Pixels. */
  size: (width: number, height: number) => Record<string, unknown>;
}

/** Models that differ from their provider's usual names: by how their name begins. */
export type VideoExceptions = readonly (readonly [
  string,
  Partial<VideoNames>,
])[];

/** The input of a video model: what the request leaves out is left to the model. */
export function videoInput(
  request: VideoToMake,
  usual: VideoNames,
  exceptions: VideoExceptions,
): Record<string, unknown> {
  const { providerModel, prompt, seconds, width, height } = request;
  const [, own] =
    exceptions.find(([start]) => providerModel.startsWith(start)) ??
      [];
  const names = { ...usual, ...own };
  const { aspectRatio, imageUrl, seed } = request;
  return {
    prompt,
    ...names.seconds(seconds),
    ...(width && height && names.size(width, height)),
    ...(aspectRatio && { aspect_ratio: aspectRatio }),
    ...(imageUrl && { [names.image]: imageUrl }),
    seed,
  };
}
