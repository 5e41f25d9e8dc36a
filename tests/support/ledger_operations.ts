import fc from "fast-check";
import { MAX_N, type PlanName, PLANS, TEAM } from "./ledger_world.ts";

// What the property test may do, at random.

const account = fc.nat(2);
const user = fc.option(fc.nat(2), { freq: 2 });
const amount = fc.integer({ min: 1, max: 180 });
/** A job or a grant: how far back, among those there are. */
const pick = fc.nat(20);

/** Whether what may repeat something does so, and who may be a stranger is one. */
const often = fc.nat(4).map((n) => n > 0);
const seldom = fc.nat(4).map((n) => n > 3);

const request = fc.record({
  model: fc.constantFrom("cap", "overdraft", "tokens", "cap", "overdraft"),
  n: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 60 }) },
    { weight: 3, arbitrary: fc.constant(10) },
  ),
  key: fc.option(fc.nat(2), { freq: 2 }),
  requestId: fc.option(fc.nat(1), { freq: 2 }),
  member: user,
});
/** A request for a generation. */
export type Request = typeof request extends fc.Arbitrary<infer T>
  ? Omit<T, "model"> & { model: string }
  : never;

/** What is asked for under each key, as a rule. */
const UNDER_KEY = [
  { model: "cap", n: 10 },
  { model: "overdraft", n: 4 },
  { model: "tokens", n: 20 },
];
const refused = fc.constantFrom(
  { model: "none", n: 1 },
  { model: "cap", n: 0 },
  { model: "tokens", n: MAX_N + 1 },
);
const anyRequest = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(request, often).map(([r, isRepetition]): Request =>
      isRepetition && r.key !== null ? { ...r, ...UNDER_KEY[r.key]! } : r
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(request, refused).map(([r, bad]): Request => ({
      ...r,
      ...bad,
    })),
  },
);

/** A person's account is asked for by others only seldom. */
function asked(
  account: number,
  isStray: boolean,
  request: Request,
): Request {
  return account === TEAM || isStray ? request : { ...request, member: null };
}

function step<T extends string, A extends object>(
  type: T,
  values: { [K in keyof A]: fc.Arbitrary<A[K]> },
): fc.Arbitrary<A & { type: T }> {
  return fc.record({ ...values, type: fc.constant(type) }) as fc.Arbitrary<
    A & { type: T }
  >;
}

const requests = {
  charge: step("charge", {
    account,
    request: anyRequest,
    starts: fc.boolean(),
    isStray: seldom,
  }).map((charge) => {
    const { account, isStray, request } = charge;
    return { ...charge, request: asked(account, isStray, request) };
  }),
  batch: step("batch", {
    account,
    requests: fc.array(anyRequest, { minLength: 1, maxLength: 4 }),
    allOrNothing: fc.boolean(),
    isStray: seldom,
  }).map((batch) => {
    const { account, isStray, requests } = batch;
    return {
      ...batch,
      requests: requests.map((r) => asked(account, isStray, r)),
    };
  }),
};

const grant = step("grant", {
  account,
  amount,
  priority: fc.integer({ min: 99, max: 101 }),
  expiry: fc.constantFrom("soon", "2098", "2099", null),
  ref: fc.option(fc.nat(1), { freq: 2 }),
  isRepetition: often,
}).map((grant) => {
  const { ref, isRepetition } = grant;
  const same = { account: ref!, amount: 100 };
  return ref !== null && isRepetition ? { ...grant, ...same } : grant;
});

const wallets = {
  grant,
  stock: step("stock", {
    grants: fc.array(grant.map((g) => ({ ...g, ref: null })), {
      minLength: 1,
      maxLength: 9,
      size: "max",
    }),
  }),
  transfer: step("transfer", {
    account,
    to: fc.integer({ min: 1, max: 2 }),
    amount,
    ref: fc.option(fc.nat(1), { freq: 2 }),
    isRepetition: often,
  }).map((transfer) => {
    const { ref, isRepetition } = transfer;
    const same = { account: ref!, to: 1, amount: 30 };
    return ref !== null && isRepetition ? { ...transfer, ...same } : transfer;
  }),
  reverse: step("reverse", {
    account,
    grant: pick,
    share: fc.constantFrom(1000, 1000, 600, 250, 0),
  }),
  withdraw: step("withdraw", {
    account,
    amount,
    grant: fc.option(pick),
  }),
  end: step("end", { account, grant: pick }),
  plan: step("plan", {
    account,
    plan: fc.constantFrom(...Object.keys(PLANS) as PlanName[]),
  }),
  month: step("month", { account, months: fc.integer({ min: 1, max: 3 }) }),
  member: step("member", {
    user: fc.nat(2),
    role: fc.constantFrom("owner", "admin", "member", "viewer", null),
    cap: fc.option(fc.integer({ min: 0, max: 400 })),
  }),
  erase: step("erase", { account }),
};

const jobs = {
  start: step("start", { job: pick }),
  settle: step("settle", {
    job: pick,
    actual: fc.oneof(
      fc.constant(null),
      fc.record({ cost: fc.nat(800) }),
      fc.record({ first: fc.nat(MAX_N), second: fc.option(fc.nat(900)) }),
    ),
  }),
  fail: step("fail", { job: pick, refused: fc.boolean() }),
  cancel: step("cancel", { job: pick, member: user, stopped: fc.boolean() }),
  word: step("word", {
    job: pick,
    isAnswer: fc.boolean(),
    word: fc.constantFrom(
      "running",
      "unknown",
      "succeeded",
      "failed",
      "canceled",
    ),
  }),
  refund: step("refund", {
    job: pick,
    amount: fc.option(fc.oneof(amount, fc.constant(5)), { freq: 4 }),
    reason: fc.constantFrom("goodwill", "outage"),
  }),
  overdue: step("overdue", { job: pick }),
};

const tasks = {
  expire: step("expire", {}),
  sweep: step("sweep", {}),
  refill: step("refill", {}),
  announce: step("announce", {}),
  archive: step("archive", {}),
  verify: step("verify", { account, fromStart: fc.boolean() }),
  reprice: step("reprice", {}),
};

const WEIGHTS = {
  charge: 14,
  batch: 8,
  grant: 6,
  transfer: 4,
  reverse: 4,
  withdraw: 1,
  end: 4,
  plan: 3,
  month: 2,
  member: 2,
  erase: 1,
  start: 4,
  settle: 7,
  fail: 3,
  cancel: 5,
  word: 4,
  refund: 7,
  overdue: 2,
  expire: 2,
  sweep: 2,
  refill: 3,
  announce: 1,
  archive: 1,
  verify: 1,
  reprice: 1,
};
const arbitraries = { ...requests, ...wallets, ...jobs, ...tasks };

type ValueOf<T> = T extends fc.Arbitrary<infer V> ? V : never;
/** One operation: its type and its arguments. */
export type Operation = {
  [K in keyof typeof arbitraries]: ValueOf<(typeof arbitraries)[K]>;
}[keyof typeof arbitraries];
/** The operation of a type. */
export type OperationOf<T extends Operation["type"]> = Extract<
  Operation,
  { type: T }
>;

const operation = fc.oneof(
  ...(Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]).map((type) => ({
    arbitrary: arbitraries[type] as fc.Arbitrary<Operation>,
    weight: WEIGHTS[type],
  })),
);

/** What a sequence begins with: something to spend. */
export const stock = wallets.stock;

/** Operations that are not made beside another: time or prices change, or the order within them is open. */
const ALONE = new Set(["month", "reprice", "announce"]);
const beside = operation.filter(({ type }) => !ALONE.has(type));

/**
 * One step: an operation; two on two connections at once; or two that wait for
 * the same locks, and go on in the order they came.
 */
export const anyStep = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      how: fc.constant("alone" as const),
      operations: fc.tuple(operation),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      how: fc.constantFrom("together" as const, "queued" as const),
      operations: fc.tuple(beside, beside),
    }),
  },
);
/** One step of a sequence. */
export type Step = ValueOf<typeof anyStep>;
