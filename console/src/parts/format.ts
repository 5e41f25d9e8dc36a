const NUMBER = new Intl.NumberFormat("en");

/** The zone that all times are shown in: the browser's. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A whole number with its thousands apart. */
export function grouped(value: unknown): string {
  return typeof value === "number" || /^-?\d+$/.test(String(value))
    ? NUMBER.format(Number(value))
    : "";
}

/** A change of credits: with its sign. */
export function change(value: unknown): string {
  const text = grouped(value);
  return Number(value) > 0 ? `+${text}` : text;
}

/** `not_before` → `not before`. */
export function words(value: unknown): string {
  return String(value ?? "").replaceAll("_", " ");
}

/** Anything as text, for what has no form of its own. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
