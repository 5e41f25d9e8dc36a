import { decodeBase64Url, encodeBase64Url } from "@std/encoding/base64url";
import { z } from "zod";
import { parseFields, wholeNumber } from "./body.ts";
import { invalidRequest } from "./problem.ts";

/**
 * Checks a query.
 *
 * @throws {Problem} 400 `invalid_request` that names each bad parameter, and each that stands twice
 */
export function parseQuery<T>(schema: z.ZodType<T>, { searchParams }: URL): T {
  const names = [...searchParams.keys()];
  const repeated = names.filter((name, at) => names.indexOf(name) < at);
  if (repeated.length > 0) {
    const message = "must be given once";
    throw invalidRequest(
      `Each parameter of the query ${message}.`,
      [...new Set(repeated)].map((field) => ({ field, message })),
    );
  }
  return parseFields(schema, Object.fromEntries(searchParams));
}

/** A whole number as a query has it, in digits; Number would also read 0x2 and 1e1. */
const digits = z.string()
  .transform((text) => /^\d+$/.test(text) ? Number(text) : NaN);

/** Query parameters that every page takes. */
export const pageQuery = z.strictObject({
  limit: digits.pipe(wholeNumber(1, 100)).default(20).describe("rows"),
  cursor: z.string().max(512).optional().describe(
    "`next_cursor` of the page before",
  ),
});

/** The account that a request is about; the user's own if left out. */
export const accountQuery = {
  account_id: z.guid("must be the id of an account").optional().describe(
    "a team's account; the user's own if left out",
  ),
};

/** A page: its rows, and the cursor of the next one (null on the last). */
export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

/** A {@link Page} of such rows. */
export function pageOf<T extends z.ZodType>(row: T) {
  return z.object({
    data: z.array(row),
    next_cursor: z.string().nullable().describe("null on the last page"),
  });
}

/** Cuts a page out of up to `limit + 1` rows: the one too many says that there is more. */
export function toPage<T>(
  rows: T[],
  limit: number,
  position: (last: T) => unknown,
): Page<T> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { data, next_cursor: hasMore ? encodeCursor(position(last)) : null };
}

/**
 * Reads a cursor that {@link toPage} made.
 *
 * @throws {Problem} 400 `invalid_request` for any other text.
 */
export function readCursor<T>(
  cursor: string | undefined,
  schema: z.ZodType<T>,
): T | undefined {
  if (cursor === undefined) return undefined;
  try {
    const text = new TextDecoder().decode(decodeBase64Url(cursor));
    return schema.parse(JSON.parse(text));
  } catch {
    const message = "must be the next_cursor of an earlier page";
    throw invalidRequest(`The cursor ${message}.`, [
      { field: "cursor", message },
    ]);
  }
}

function encodeCursor(position: unknown): string {
  return encodeBase64Url(JSON.stringify(position));
}
