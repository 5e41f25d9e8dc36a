import type { ImageModelV3, SpeechModelV3 } from "@ai-sdk/provider";
import type { MadeFile, VideoToMake } from "./media.ts";

/**
 * A maker of what it has a method for, by the provider's own name of the model. A provider of the
 * AI SDK is one as it stands.
 */
export interface Provider {
  imageModel?(providerModel: string): ImageModelV3;
  speechModel?(providerModel: string): SpeechModelV3;
  /** For one that makes a video within the request; most call back. */
  makeVideo?(request: VideoToMake, signal: AbortSignal): Promise<MadeFile>;
}

/** Finds a provider by the name that the price book uses. */
export type FindProvider = (name: string) => Provider | undefined;

/** Why a generation failed, as it is kept with the job and answered. */
export type FailureReason =
  | "invalid_key"
  | "quota"
  | "content_policy"
  | "provider_error"
  | "broken_response"
  | "connection"
  | "timeout";

// Fixed texts: what a provider writes may hold parts of its key or of the prompt.
const MESSAGES: Record<FailureReason, string> = {
  invalid_key: "The provider's key is missing or was refused.",
  quota: "The provider's own quota or rate limit is used up.",
  content_policy:
    "The provider refused the prompt because of its content policy.",
  provider_error: "The provider could not make what was asked for.",
  broken_response: "The provider's answer could not be used.",
  connection: "The connection to the provider failed.",
  timeout: "The provider did not answer in time.",
};

/** A provider's failure in our own words: `message` is safe to show. */
export class ProviderError extends Error {
  readonly reason: FailureReason;
  /** HTTP status of the provider's answer, where there was one. */
  readonly providerStatus?: number;
  /** Whether the provider may have the request. */
  readonly wasReached: boolean;

  constructor(
    reason: FailureReason,
    providerStatus?: number,
    wasReached = reason === "timeout" || providerStatus !== undefined,
  ) {
    super(MESSAGES[reason]);
    this.name = "ProviderError";
    this.reason = reason;
    this.providerStatus = providerStatus;
    this.wasReached = wasReached;
  }

  /** The problem code that it is answered and kept with. */
  get code(): "provider_failed" | "provider_timeout" {
    return this.reason === "timeout" ? "provider_timeout" : "provider_failed";
  }
}
