/** Fields of a log line; never a token, a key or a prompt. */
export type LogFields = Record<string, string | number | boolean | undefined>;

/** Writes one event as one line of JSON. */
export function logEvent(
  level: "warn" | "error",
  event: string,
  fields: LogFields,
): void {
  console[level](JSON.stringify({ level, event, ...fields }));
}

/** Writes an error that nobody expected as one line of JSON. */
export function logUnexpected(error: unknown, fields: LogFields): void {
  logEvent("error", "unexpected_error", {
    ...fields,
    error: error instanceof Error ? error.name : typeof error,
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
}
