import { logEvent } from "./log.ts";
import type {
  Callback,
  CallbackProvider,
} from "./providers/callback_provider.ts";
import type { CallbackResult } from "./results.ts";
import {
  type EndDependencies,
  type MadeJob,
  settleMade,
} from "./settle_made.ts";

/** A job, and what its provider says of it. */
export interface ProviderWord {
  jobId: string;
  /** The provider's name in the price book. */
  name: string;
  provider: CallbackProvider;
  callback: Callback;
}

/**
 * Does what is left to do once SQL has applied a provider's word: the files of a job that succeeded are copied into
 * Storage, and it is settled; those of one that succeeded after its refund are kept, where the settings say so.
 *
 * @returns what came of it: running, settled, failed, canceled, unchanged, late or late_kept
 * @throws {Problem} 503 where the same may do better later
 */
export async function followWord(
  word: ProviderWord,
  result: CallbackResult,
  dependencies: EndDependencies,
): Promise<string> {
  const { jobId, name, callback: { outcome, reason } } = word;
  const code = outcome === "succeeded" && result.input
    ? await settleMade(madeJob(word, result), dependencies)
    : result.code;
  const hasFailed = outcome === "failed" || outcome === "canceled";
  const isLate = code.startsWith("late") ||
    hasFailed && code === "unchanged" && result.status !== "failed";
  const source = { job_id: jobId, provider: name, reason };
  if (isLate) logEvent("warn", "callback_late", source);
  if (code === "failed" && hasFailed) {
    logEvent(
      "warn",
      reason === "timeout" ? "provider_timeout" : "provider_failed",
      source,
    );
  }
  return code;
}

function madeJob(
  { jobId, name, provider, callback: { urls } }: ProviderWord,
  { account_id: accountId, max_output_bytes, input, code }: CallbackResult,
): MadeJob {
  const { type, n } = input!;
  const seconds = type === "video" ? input!.seconds : undefined;
  const [maxBytes, isLate] = [max_output_bytes!, code === "late_keep"];
  const place = { accountId, jobId, type, maxBytes };
  return { ...place, name, provider, urls, n, seconds, isLate };
}
