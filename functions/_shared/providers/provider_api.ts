import { z } from "zod";
import { boundedFetch } from "./bounded_fetch.ts";
import { reasonOfStatus } from "./classify.ts";
import { ProviderError } from "./provider.ts";

/** Largest answer about a job, in bytes: it carries addresses and logs, not files. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** A provider's own id of a job. */
export const providerJobId = z.string().regex(/^[\x21-\x7e]{1,255}$/);

/** What a provider answers, as JSON; `body` is null where it is none. */
export interface ProviderAnswer {
  status: number;
  headers: Headers;
  body: unknown;
}

/**
 * Calls an API of a provider, and reads what it answers, also if it refuses.
 *
 * @throws {ProviderError} where it does not answer; the signal's own reason where that aborted it
 */
export async function callProvider(
  url: string | URL,
  init: RequestInit,
): Promise<ProviderAnswer> {
  const response = await boundedFetch(url, init, MAX_ANSWER_BYTES);
  const { status, headers } = response;
  const body: unknown = await response.json().catch(() => null);
  return { status, headers, body };
}

/**
 * The answer, where it is no refusal.
 *
 * @throws {ProviderError} where it is one
 */
export function accepted(answer: ProviderAnswer): ProviderAnswer {
  const { status } = answer;
  if (status >= 200 && status < 300) return answer;
  throw new ProviderError(reasonOfStatus(status), status);
}

/**
 * Reads an answer as what it should be.
 *
 * @throws {ProviderError} broken_response
 */
export function readAnswer<T>(
  { status, body }: ProviderAnswer,
  schema: z.ZodType<T>,
): T {
  const read = schema.safeParse(body);
  if (read.success) return read.data;
  throw new ProviderError("broken_response", status);
}
