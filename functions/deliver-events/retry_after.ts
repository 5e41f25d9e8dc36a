// The database takes a day at most; this keeps the number an integer of SQL.
const MOST_SECONDS = 86_400;

/** When a receiver wants to be asked again, as RFC 9110 has it: a number of seconds, or a date. Undefined where it does not say. */
export function retryAfterSeconds(headers: Headers): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  const seconds = /^\d+$/.test(value)
    ? Number(value)
    : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return seconds > 0 ? Math.min(seconds, MOST_SECONDS) : undefined;
}
