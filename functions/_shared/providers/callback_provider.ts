import type { z } from "zod";
import type { ImageRequest } from "./images.ts";
import type { FailureReason } from "./provider.ts";

/** What a callback says of a job. */
export interface Callback {
  /** The provider's own id of the job. */
  providerJobId: string;
  outcome: "running" | "succeeded" | "failed";
  /** Where the pictures of a job that succeeded are. */
  urls: string[];
  /** Why a job failed. */
  reason?: FailureReason;
}

/** A provider that takes a job and calls back when it has ended. */
export interface CallbackProvider {
  /**
   * Secrets that its callbacks may be signed with (Standard Webhooks): one, or while it is
   * rotated the new one before the old one. None: nothing is submitted, and no callback counts.
   */
  readonly secrets: readonly string[];
  /** The body of a callback. */
  readonly callback: z.ZodType<Callback>;
  /**
   * Hands a job over.
   *
   * @returns the provider's own id of the job
   * @throws {ProviderError} where it does not take it; the signal's own reason where that aborted it
   */
  submit(
    request: ImageRequest,
    callbackUrl: string,
    signal: AbortSignal,
  ): Promise<string>;
  /**
   * Tells the provider that nobody waits for a job any more.
   *
   * @throws {ProviderError} where the provider does not take that
   */
  cancel(providerJobId: string, signal: AbortSignal): Promise<void>;
  /** Whether a picture may be fetched from there: the provider's own places alone. */
  keepsPicturesAt(url: URL): boolean;
}

/** Finds a provider that calls back by the name that the price book uses. */
export type FindCallbackProvider = (
  name: string,
) => CallbackProvider | undefined;
