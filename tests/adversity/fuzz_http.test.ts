import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttack, rounds } from "../support/adversity.ts";
import { readBooks, sql } from "../support/database.ts";
import { functionUrl } from "../support/http.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { stack } from "../support/stack.ts";
import { makeToken } from "../support/tokens.ts";
import { createUser, type TestUser } from "../support/user.ts";

const REQUESTS = rounds(1_200, 22_000);
const AT_ONCE = 8;
const ANSWER_SECONDS = 20;
/** Whatever is sent, one of these is the answer. */
const STATUSES = [
  ...[200, 204, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429],
];

let user: TestUser;
let other: TestUser;
let jobId: string;

beforeAll(async () => {
  user = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
  other = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
  await sql`update public.credit_plans set rate_limit_requests = 1000000 where name = ${UNHURRIED_PLAN}`;
  const [job] = await sql`select job_id from public.atomic_charge_credits(
    ${other.id}, 'standard-image', '{"prompt": "a"}', 'used')`;
  jobId = job!.job_id;
});
afterAll(() =>
  sql`update public.credit_plans set rate_limit_requests = 1000 where name = ${UNHURRIED_PLAN}`
);

/** One request as bytes on the wire: what a client that means no good may send. */
interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

const oddText = fc.oneof(
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
const oddValue = fc.oneof(
  oddText,
  oddNumber,
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 4 }),
);
const field = <T>(good: T) =>
  fc.oneof({ weight: 14, arbitrary: fc.constant(good) }, {
    weight: 1,
    arbitrary: oddValue,
  });

const generation = fc.record({
  account_id: field(undefined as unknown),
  type: field("image"),
  model: field("standard-image"),
  prompt: field("a lighthouse"),
  width: field(64),
  height: field(64),
  n: field(1),
  seed: field(7),
  response_format: field("base64"),
  surplus: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, {
    weight: 1,
    arbitrary: oddValue,
  }),
}, { requiredKeys: ["prompt"] });

const body = fc.oneof(
  { weight: 12, arbitrary: generation.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: oddText },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "{",
      "[".repeat(30_000),
      `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
      '{"prompt":"a","prompt":"b","n":1,"n":99}',
      '{"__proto__":{"n":5},"constructor":1,"prompt":"a"}',
      `{"prompt":"${"y".repeat(70_000)}"}`,
      '{"prompt":"a","n":1e999,"width":-0,"seed":00}',
    ),
  },
);

const query = fc.oneof({ weight: 1, arbitrary: fc.constant("") }, {
  weight: 1,
  arbitrary: fc.dictionary(
    fc.constantFrom(
      "limit",
      "cursor",
      "account_id",
      "from",
      "to",
      "format",
      "x",
    ),
    fc.oneof(oddText, fc.constantFrom("5", "csv", "2026-01-01", "2099-13-45")),
    { maxKeys: 4 },
  ).map((values) => {
    // Half of a surrogate pair cannot stand in a URL.
    const wellFormed = Object.entries(values).map(([name, value]) => [
      name,
      value.toWellFormed(),
    ]);
    const text = new URLSearchParams(wellFormed as [string, string][])
      .toString();
    return text && `?${text}`;
  }),
});

/** Every route, as it is meant to be called; :id stands for a job's id. */
const ROUTES = [
  ...["POST generate", "POST generate", "POST generate", "POST credits/quote"],
  ...["GET credits", "GET credits/entries", "GET credits/statement"],
  ...["GET jobs", "GET jobs/:id", "DELETE jobs/:id", "POST jobs/:id/cancel"],
  ...["GET metrics", "POST reconcile", "POST deliver-events"],
];
const METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD"];

const id = fc.oneof(
  fc.constant(() => jobId),
  fc.uuid().map((uuid) => () => uuid),
  oddText.map((text) => () => encodeURIComponent(text.toWellFormed())),
);
const route = fc.tuple(
  fc.constantFrom(...ROUTES),
  fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, {
    weight: 1,
    arbitrary: fc.constantFrom(...METHODS),
  }),
  id,
  fc.oneof({ weight: 19, arbitrary: fc.constant("") }, {
    weight: 1,
    arbitrary: oddText.map((text) =>
      `/${encodeURIComponent(text.toWellFormed())}`
    ),
  }),
).map(([route, otherMethod, id, beyond]) => {
  const [method, path] = route.split(" ") as [string, string];
  return {
    method: otherMethod ?? method,
    path: path.replace(":id", id) + beyond,
  };
});

const HOUR = 3_600;
const now = () => Math.floor(Date.now() / 1000);
/** Credentials from good to forged. */
const CREDENTIALS: readonly (() => string)[] = [
  () => user.token,
  () => makeToken(user.id, { algorithm: "none" }),
  () => makeToken(user.id, { secret: "another project's secret" }),
  () => makeToken(user.id, { claims: { exp: now() - HOUR } }),
  () => makeToken(user.id, { claims: { role: "service_role" } }),
  () => makeToken(user.id, { claims: { sub: "' or true" } }),
  () => makeToken(user.id, { claims: { nbf: now() + HOUR } }),
  () => makeToken(user.id, { secret: stack.publishableKey }),
  () => user.token.slice(0, -4),
  () => `${user.token}.${user.token}`,
  () => "a.b.c",
  () => stack.publishableKey,
];

/** A header's value may hold any byte but those that would end it. */
const headerText = fc.string({
  unit: fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 300,
});
const extraHeaders = fc.record({
  "idempotency-key": fc.oneof(headerText, fc.constantFrom("used", "again")),
  "content-encoding": fc.constantFrom("gzip", "identity", "br"),
  "x-request-id": headerText,
  "x-forwarded-for": headerText,
  origin: headerText,
  accept: headerText,
  "content-type": fc.oneof(
    headerText,
    fc.constantFrom("text/plain", "application/json; charset=utf-16"),
  ),
}, { requiredKeys: [] });

const shot: fc.Arbitrary<Shot> = fc.record({
  route,
  query,
  body,
  credential: fc.oneof(
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.nat(CREDENTIALS.length - 1) },
  ),
  extra: fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: extraHeaders },
  ),
}).map(({ route: { method, path }, query, body, credential, extra }) => ({
  method,
  path: path + query,
  headers: {
    apikey: stack.publishableKey,
    authorization: `Bearer ${CREDENTIALS[credential]!()}`,
    "content-type": "application/json",
    ...extra,
  },
  ...(method === "GET" || method === "HEAD" ? {} : { body }),
}));

const PROBLEM = /^application\/problem\+json/;

/** Sends one, and says what is wrong with the answer. */
async function wrongWith(shot: Shot): Promise<string | undefined> {
  const { path, ...init } = shot;
  const response = await fetch(functionUrl(path), {
    ...init,
    signal: AbortSignal.timeout(ANSWER_SECONDS * 1000),
  });
  const text = await response.text();
  if (!STATUSES.includes(response.status)) return `${response.status} ${text}`;
  if (response.status < 400 || init.method === "HEAD") return undefined;
  const type = response.headers.get("content-type") ?? "";
  if (!PROBLEM.test(type)) return `${response.status} is ${type}: ${text}`;
  const problem = JSON.parse(text);
  return problem.status === response.status && problem.code && problem.detail
    ? undefined
    : `a problem without its members: ${text}`;
}

describe("requests made from the schemas and against them", {
  timeout: REQUESTS * 100 + 60_000,
}, () => {
  test("are answered, never with a 500, and refused with a problem body", async () => {
    let sent = 0;
    let survived = 0;
    const volley = fc.array(shot, { minLength: AT_ONCE, maxLength: AT_ONCE });
    const attack = fc.asyncProperty(volley, async (shots) => {
      sent += shots.length;
      const wrong = (await Promise.all(shots.map(wrongWith)))
        .filter((found) => found !== undefined);
      survived += shots.length - wrong.length;
      expect(wrong).toEqual([]);
    });
    try {
      await fc.assert(attack, {
        numRuns: Math.ceil(REQUESTS / AT_ONCE),
        endOnFailure: true,
      });
    } finally {
      const { balance, ledgerSum, remaining } = await readBooks(user.id);
      recordAttack({
        ...{ attack: "fuzzed HTTP requests", rounds: sent, unit: "requests" },
        ...{ survived, lost: Math.abs(balance - ledgerSum) },
      });
      expect([ledgerSum, remaining]).toEqual([balance, balance]);
    }
    // Nothing of another's was reached.
    expect((await readBooks(other.id)).balance).toBe(1_000_000 - 500);
  });
});
