import { plain } from "./format.ts";

/** What a spreadsheet takes for a formula: also by full-width signs, or after white space. */
const FORMULA = /^[\s\u0085=+\-@＝＋－＠]/u;
/** A number is none, though it may begin with a minus. */
const AMOUNT = /^-?\d+(\.\d+)?$/;

/** Rows as CSV (RFC 4180), with a first line of names. */
export function csvOf(
  names: readonly string[],
  rows: readonly (readonly unknown[])[],
): string {
  return [names, ...rows]
    .map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function cell(value: unknown): string {
  const raw = plain(value);
  const text = FORMULA.test(raw) && !AMOUNT.test(raw) ? `'${raw}` : raw;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
