import {
  APICallError,
  JSONParseError,
  TypeValidationError,
} from "@ai-sdk/provider";
import { NoImageGeneratedError, NoSpeechGeneratedError } from "ai";
import { type FailureReason, ProviderError } from "./provider.ts";

const CONTENT_POLICY =
  /content_?policy|content_?filter|moderation_blocked|safety/i;

/** Puts any error that a provider or the AI SDK threw into one of our classes. */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (APICallError.isInstance(error)) {
    return new ProviderError(reasonOfCall(error), error.statusCode);
  }
  return new ProviderError(
    isUnusableAnswer(error) ? "broken_response" : "provider_error",
  );
}

function reasonOfCall(error: APICallError): FailureReason {
  const status = error.statusCode;
  if (status === undefined) return "connection";
  if (status < 300) return "broken_response";
  const reason = reasonOfStatus(status);
  const isContent = reason === "provider_error" && status < 500 &&
    CONTENT_POLICY.test(errorCode(error.data));
  return isContent ? "content_policy" : reason;
}

/** What an HTTP status of a refusal says by itself. */
export function reasonOfStatus(status: number): FailureReason {
  if (status === 401 || status === 403) return "invalid_key";
  if (status === 402 || status === 429) return "quota";
  return "provider_error";
}

function errorCode(data: unknown): string {
  const { error } = (data ?? {}) as {
    error?: { code?: unknown; type?: unknown };
  };
  return `${error?.code ?? ""} ${error?.type ?? ""}`;
}

function isUnusableAnswer(error: unknown): boolean {
  return NoImageGeneratedError.isInstance(error) ||
    NoSpeechGeneratedError.isInstance(error) ||
    JSONParseError.isInstance(error) ||
    TypeValidationError.isInstance(error);
}
