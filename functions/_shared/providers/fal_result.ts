import type { Callback } from "./callback_provider.ts";
import type { FailureReason } from "./provider.ts";
import type { ProviderAnswer } from "./provider_api.ts";

/** How a job ended. */
export type Ended = Pick<Callback, "outcome" | "reason" | "urls">;

/** Where models of fal list what they have made. */
const LISTS = ["images", "image", "videos", "video", "audio"];

/** Kinds of errors that say that it took too long. */
const TIMEOUTS = ["request_timeout", "startup_timeout", "generation_timeout"];

/** These say nothing of the job: a key that is refused, a wrong address, a limit. */
const NOT_ABOUT_THE_JOB = [401, 403, 404, 408, 429];

/** The addresses of the files in a result. */
export function filesOf(payload: unknown): string[] {
  const result = objectOf(payload);
  return LISTS.flatMap((list) => [result[list]].flat())
    .map((file) => typeof file === "string" ? file : objectOf(file).url)
    .filter((url) => typeof url === "string");
}

/** What a failed job's error says of it. */
export function outcomeOfFailure(payload: unknown): Ended {
  const kinds = kindsOf(payload);
  const has = (names: readonly string[]) =>
    kinds.some((kind) => names.includes(kind));
  if (has(["client_cancelled"])) {
    return { outcome: "canceled", reason: "timeout", urls: [] };
  }
  const reason: FailureReason = has(["content_policy_violation"])
    ? "content_policy"
    : has(TIMEOUTS)
    ? "timeout"
    : "provider_error";
  return { outcome: "failed", reason, urls: [] };
}

/**
 * What a completed job's result says of it. fal answers with the status that the model did.
 *
 * @returns unknown where the answer is not the model's, nor says which error ended the job
 */
export function outcomeOfResult(
  { status, body }: ProviderAnswer,
): Ended | "unknown" {
  if (status === 200 && body !== null) {
    return { outcome: "succeeded", urls: filesOf(body) };
  }
  const isError = status >= 400 && !NOT_ABOUT_THE_JOB.includes(status);
  // What stands before fal's queue fails too, but does not say so.
  return isError && kindsOf(body).length > 0
    ? outcomeOfFailure(body)
    : "unknown";
}

/** The kinds of errors that a failed job's result names: of the queue, or of the model. */
function kindsOf(payload: unknown): string[] {
  const { error_type, detail } = objectOf(payload);
  const details = Array.isArray(detail) ? detail : [];
  return [error_type, ...details.map((each) => objectOf(each).type)]
    .filter((kind) => typeof kind === "string");
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
