import type { GenerationRequest } from "@atomic-credits/client";

/** What the form makes. Text is streamed; the others are requests to `generate`. */
export type Kind = "picture" | "text" | "speech" | "video";

/** What somebody has filled in. */
export interface Wish {
  kind: Kind;
  prompt: string;
  /** How many pictures. */
  count: number;
}

export const KINDS: Record<Kind, { label: string; prompt: string }> = {
  picture: { label: "Picture", prompt: "A lighthouse at dusk" },
  text: { label: "Text", prompt: "What does the lighthouse say?" },
  speech: { label: "Speech", prompt: "The lamp is lit." },
  video: { label: "Video", prompt: "Waves below a lighthouse" },
};

/** The request for a wish; none for text. */
export function requestOf(
  { kind, prompt, count }: Wish,
): GenerationRequest | undefined {
  switch (kind) {
    case "picture":
      return { prompt, width: 512, height: 512, n: count };
    case "speech":
      return { type: "speech", prompt };
    case "video":
      return { type: "video", prompt, seconds: 2 };
    case "text":
      return undefined;
  }
}
