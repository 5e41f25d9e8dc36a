import { z } from "zod";

const error = "must be a time such as 2026-01-31T00:00:00Z";

// Within what Postgres reads: it has no year 0, no offset of 16 hours and no endless fraction.
const IN_BOUNDS = /^[12]\d{3}-[\dT:-]+(\.\d{1,9})?(Z|[+-](0\d|1[0-5]):\d\d)$/;

/**
 * A point in time as RFC 3339 writes it, kept as text: a Date would lose microseconds. In a query
 * an offset's + that was not encoded is a space.
 */
export const moment = z.string(error)
  .transform((text) => text.replace(/ (?=\d\d:\d\d$)/, "+"))
  .pipe(
    z.iso.datetime({ offset: true, error, abort: true }).regex(IN_BOUNDS, {
      error,
      abort: true,
    }),
  ).meta({ format: "date-time" });

/** A point in time as an answer has it: RFC 3339, in UTC unless it says otherwise. */
export const instant = z.string().meta({ format: "date-time" });
