import fc from "fast-check";

// What the property test may do, at random.

/** What happens to usage beyond a charge: capped, or charged. */
export type Overrun = "cap" | "overdraft";

const account = fc.nat(1);
const amount = fc.integer({ min: 1, max: 600 });
const pick = fc.nat(20);
/** One random step. */
export const operation = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("grant" as const),
      account,
      amount,
      priority: fc.integer({ min: 99, max: 101 }),
      expiry: fc.nat(2),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("charge" as const),
      account,
      n: fc.integer({ min: 1, max: 100 }),
      overrun: fc.constantFrom<Overrun>("cap", "overdraft"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("batch" as const),
      account,
      ns: fc.array(fc.integer({ min: 1, max: 50 }), {
        minLength: 1,
        maxLength: 3,
      }),
      allOrNothing: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("refill" as const), account }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("settle" as const),
      pick,
      used: fc.nat(800),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("fail" as const), pick }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("cancel" as const), pick }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("refund" as const),
      pick,
      amount: fc.option(amount),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("transfer" as const),
      account,
      amount,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("archive" as const), account }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("revoke" as const),
      account,
      pick,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("expire" as const),
      account,
      pick,
    }),
  },
);
/** One step: its type and its arguments. */
export type Operation = typeof operation extends fc.Arbitrary<infer T> ? T
  : never;
