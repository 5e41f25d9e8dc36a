import type { z } from "zod";
import type { MediaRequest } from "./media.ts";
import type { FailureReason } from "./provider.ts";

/** What a provider says of a job: in a callback, or when it is asked. */
export interface Callback {
  /** The provider's own id of the job. */
  providerJobId: string;
  outcome: "running" | "succeeded" | "failed" | "canceled";
  /** Where the files of a job that succeeded are. */
  urls: string[];
  /** Why a job failed; of one that was canceled: why, if nobody here asked for it. */
  reason?: FailureReason;
}

/** A job as its provider knows it. */
export interface ProviderHandle {
  /** The provider's own id of the job. */
  id: string;
  /** Where the provider said that it is asked of the job and canceled; null where its id is enough, or they are not known. */
  urls: Record<string, string> | null;
}

/** A provider that takes a job and calls back when it has ended. */
export interface CallbackProvider {
  /**
   * Secrets that the addresses of its callbacks are signed with: one, or while it is rotated the
   * new one before the old one. None: nothing is submitted, and no callback counts.
   */
  readonly addressSecrets: readonly string[];
  /**
   * Whether a callback is signed by the provider, within the last five minutes.
   *
   * @throws {ProviderError} where that cannot be told now
   */
  verify(headers: Headers, body: Uint8Array<ArrayBuffer>): Promise<boolean>;
  /** The body of a callback. */
  readonly callback: z.ZodType<Callback>;
  /**
   * Hands a job over.
   *
   * @throws {ProviderError} where it does not take it; the signal's own reason where that aborted it
   */
  submit(
    request: MediaRequest,
    callbackUrl: string,
    signal: AbortSignal,
  ): Promise<ProviderHandle>;
  /**
   * Asks how a job stands.
   *
   * @returns unknown where the provider does not know the job, or its answer is not about it
   * @throws {ProviderError} where it does not answer
   */
  status(
    handle: ProviderHandle,
    signal: AbortSignal,
  ): Promise<Callback | "unknown">;
  /**
   * Tells the provider that nobody waits for a job any more.
   *
   * @returns canceled: it has stopped. requested: it goes on for now. ended: it was too late
   * @throws {ProviderError} where the provider does not take that
   */
  cancel(
    handle: ProviderHandle,
    signal: AbortSignal,
  ): Promise<"canceled" | "requested" | "ended">;
  /** Whether a file may be fetched from there: the provider's own places alone. */
  keepsFilesAt(url: URL): boolean;
}

/** Finds a provider that calls back by the name that the price book uses. */
export type FindCallbackProvider = (
  name: string,
) => CallbackProvider | undefined;
