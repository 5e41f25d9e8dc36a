import type { GeneratedImage } from "./providers/images.ts";
import type { ChargedJob, Output } from "./results.ts";

/** An image as it is answered and kept, in the format that was asked for. */
export function toOutput(
  { base64, mediaType, width, height }: GeneratedImage,
  format: ChargedJob["input"]["response_format"],
): Output {
  const content = format === "data_url"
    ? { url: `data:${mediaType};base64,${base64}` }
    : { data: base64 };
  return { media_type: mediaType, width, height, ...content };
}
