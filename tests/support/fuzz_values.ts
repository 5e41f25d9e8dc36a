import fc from "fast-check";

/** Text of every kind that should not matter, and some that tries to. */
export const oddText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.constantFrom(
    ..."'; drop table credit_ledger;--|\u0000|\ud800|../../etc/passwd|NaN|-0|1e309|\u202e|%00|${7*7}"
      .split("|"),
    "x".repeat(5_000),
  ),
);

const oddNumber = fc.oneof(
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(-1, 0, 1.5, 64, 16_385, 2 ** 31, 2 ** 53, 1e300),
);

/** Any value of JSON. */
export const oddValue = fc.oneof(
  oddText,
  oddNumber,
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 4 }),
);

/** Mostly one of these, and now and then what it should not be. */
export function mostly<T>(
  weight: number,
  good: fc.Arbitrary<T>,
  odd: fc.Arbitrary<unknown> = oddValue,
): fc.Arbitrary<unknown> {
  return fc.oneof({ weight, arbitrary: good as fc.Arbitrary<unknown> }, {
    weight: 1,
    arbitrary: odd,
  });
}

/** Times that Postgres reads, and some beyond what it does. */
export const moment = mostly(
  6,
  fc.oneof(
    fc.date({
      min: new Date("2020-01-01"),
      max: new Date("2030-01-01"),
      noInvalidDate: true,
    }).map((date) => date.toISOString()),
    fc.constantFrom("2026-01-01T00:00:00Z", "2099-01-01T00:00:00+05:30"),
  ),
  fc.oneof(
    fc.constantFrom(
      "0000-01-01T00:00:00Z",
      "2026-02-29T00:00:00Z",
      "2026-01-01T00:00:00+23:59",
      `2026-01-01T00:00:00.${"1".repeat(300)}Z`,
      "9999-12-31T23:59:59-15:59",
      "99999999999999999999",
      "infinity",
    ),
    oddText,
  ),
);

/** A body that is no good on any route. */
export const oddBody = fc.oneof(
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: oddText },
  { weight: 2, arbitrary: fc.constant(`{"prompt":"${"y".repeat(530_000)}"}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "{",
      "[".repeat(30_000),
      `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
      '{"prompt":"a","prompt":"b","n":1,"n":99}',
      '{"__proto__":{"n":5},"constructor":1,"prompt":"a"}',
      '{"prompt":"a","n":1e999,"width":-0,"seed":00}',
    ),
  },
);

/** A header's value may hold any byte but those that would end it. */
const headerText = fc.string({
  unit: fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 300,
});

/** Headers that a caller may add or change. */
export const extraHeaders = fc.record({
  "idempotency-key": headerText,
  "content-encoding": fc.constantFrom("gzip", "identity", "br"),
  "x-request-id": headerText,
  "x-forwarded-for": headerText,
  origin: headerText,
  accept: fc.oneof(headerText, fc.constantFrom("text/csv", "text/plain")),
  "content-type": fc.oneof(
    headerText,
    fc.constantFrom("text/plain", "application/json; charset=utf-16"),
  ),
}, { requiredKeys: [] });
