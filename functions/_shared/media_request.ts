import type { MediaRequest } from "./providers/media.ts";
import type { ChargedJob } from "./results.ts";

/** A charged job, and where its provider can fetch the first frame that it names. */
export type MediaJob = ChargedJob & { imageUrl?: string };

/** What a provider is asked to make for a charged job. */
export function toMediaRequest(
  { input, imageUrl, provider_model: providerModel, timeout_seconds }: MediaJob,
): MediaRequest {
  const asked = { providerModel, timeoutMs: timeout_seconds * 1000 };
  if (input.type !== "video") return { ...input, ...asked };
  const { aspect_ratio: aspectRatio, ...video } = input;
  return { ...video, ...asked, aspectRatio, imageUrl };
}
