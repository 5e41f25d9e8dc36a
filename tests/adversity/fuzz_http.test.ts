import fc from "fast-check";
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callbackAddress } from "../../functions/_shared/callbacks.ts";
import { callbackRegistry } from "../../functions/_shared/providers/callback_registry.ts";
import { recordAttack, rounds } from "../support/adversity.ts";
import { readBooks, sql } from "../support/database.ts";
import {
  type CallbackFunctions,
  startFalFunctions,
} from "../support/callback_functions.ts";
import { FAL_KEY, type FalServer, signedByFal } from "../support/fal_server.ts";
import { FUZZED_PRODUCT } from "../support/fuzz_bodies.ts";
import {
  type Arsenal,
  type CallbackRoute,
  EVENT,
  ROUTES,
  type Shot,
  shots,
} from "../support/fuzz_shots.ts";
import {
  callFunction,
  functionUrl,
  generate,
  userHeaders,
} from "../support/http.ts";
import { CALLBACK_MODEL, FAL_MODEL } from "../support/models.ts";
import { DOCUMENTED, routeOf, undescribed } from "../support/openapi.ts";
import {
  type PaymentFunctions,
  startPaymentFunctions,
} from "../support/payments.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { REPLICATE_SECRET, signed } from "../support/replicate_server.ts";
import { stack } from "../support/stack.ts";
import { STRIPE_SECRET } from "../support/stripe_server/index.ts";
import { makeToken } from "../support/tokens.ts";
import { createUser, type TestUser } from "../support/user.ts";

const REQUESTS = rounds(1_400, 20_400, 3_000);
const OPEN_JOBS = rounds(60, 400);
const KEYS = 20;
const AT_ONCE = 8;
const ANSWER_SECONDS = 20;
/** A call of the schedule goes on while something is due: deliveries 45 s, and the last receiver's 10. */
const TASK_SECONDS = 60;
const TASKS = /^POST (deliver-events$|tasks\/)/;
/** Many times what a quiet machine needs, and no more than its share of CI. */
const MOST_MINUTES = rounds(3, 9);
const CREDITS = 10_000_000;
const PRICE = 500;
/** Each answer is one of these. */
const STATUSES = [
  200,
  201,
  204,
  400,
  401,
  402,
  403,
  404,
  405,
  409,
  413,
  415,
  422,
  429,
];
/** Refusals that must have been provoked, or the aim was too narrow. */
const PROVOKED = [400, 401, 402, 403, 404, 405, 413, 415, 422];

let user: TestUser;
let other: TestUser;
let poor: TestUser;
let foreignJob: string;
const openJobs: string[] = [];
let canceledJob: string;
let ownCheckout: string;
let foreignCheckout: string;
/** Functions with a Stripe, for its events: those of the stack have the sandbox. */
let payments: PaymentFunctions;
let appKey: string;
let foreignKey: string;
/** Keys to be revoked, by their ids. */
const keys: string[] = [];
let revokedKey: string;
let madeJob: string;
/** The same functions, with fal as a provider whose keys can be fetched. */
let falFunctions: CallbackFunctions<FalServer>;
/** Where providers call back about jobs of the user's. */
let callbackUrls: Record<CallbackRoute, string>;

/** Makes app keys of a user. */
async function makeKeys(of: TestUser, count: number) {
  return await sql<{ key_id: string; key: string }[]>`
    select k.key_id, k.key from generate_series(1, ${count}),
      public.create_app_key(${of.id}, ${of.id}, 'test') as k`;
}

/** Charges through SQL, so that the job stays open. */
async function chargeJobs(
  of: TestUser,
  count: number,
  model = "standard-image",
): Promise<string[]> {
  const jobs = await sql`
    select (public.atomic_charge_credits(${of.id}, ${model}, '{"prompt": "a"}')).job_id as id
    from generate_series(1, ${count})`;
  return jobs.map(({ id }) => id);
}

beforeAll(async () => {
  user = await createUser({ credits: CREDITS, plan: UNHURRIED_PLAN });
  other = await createUser({ credits: CREDITS, plan: UNHURRIED_PLAN });
  poor = await createUser({ credits: 0, plan: UNHURRIED_PLAN });
  await sql`update public.credit_plans set rate_limit_requests = 1000000, max_concurrent_jobs = 10000
    where name = ${UNHURRIED_PLAN}`;
  [foreignJob] = await chargeJobs(other, 1) as [string];
  foreignKey = (await makeKeys(other, 1))[0]!.key_id;
  appKey = (await makeKeys(user, 1))[0]!.key;
  keys.push(...(await makeKeys(user, KEYS)).map(({ key_id }) => key_id));
  revokedKey = keys[0]!;
  openJobs.push(...await chargeJobs(user, OPEN_JOBS));
  const made = await generate(user);
  expect(made.status, made.text).toBe(200);
  madeJob = made.body.job_id;
  falFunctions = await startFalFunctions();
  const falSecret = callbackRegistry((name) =>
    name === "FAL_KEY" ? FAL_KEY : undefined
  )("fal")!.addressSecrets[0]!;
  callbackUrls = {
    "POST provider-webhook/replicate": await callbackAddress(
      functionUrl(""),
      "replicate",
      (await chargeJobs(user, 1, CALLBACK_MODEL.model))[0]!,
      REPLICATE_SECRET,
    ),
    "POST provider-webhook/fal": await callbackAddress(
      falFunctions.url(""),
      "fal",
      (await chargeJobs(user, 1, FAL_MODEL.model))[0]!,
      falSecret,
    ),
  };
  // Those that wait their turn must not be swept meanwhile.
  await sql`update public.generation_jobs set deadline_at = now() + interval '1 hour'
    where account_id = any (${[user.id, other.id]})`;
  canceledJob = openJobs.pop()!;
  await sellFuzzed(true);
  ownCheckout = await beginCheckout(user);
  foreignCheckout = await beginCheckout(other);
  payments = await startPaymentFunctions();
});

async function beginCheckout(of: TestUser): Promise<string> {
  const { body, text } = await callFunction("checkout", {
    method: "POST",
    headers: userHeaders(of),
    body: JSON.stringify({ product: FUZZED_PRODUCT }),
  });
  expect(body.checkout_id, text).toBeDefined();
  return body.checkout_id;
}

/** Puts on sale in the sandbox what the checkouts ask for, or takes it off. */
async function sellFuzzed(enabled: boolean): Promise<void> {
  const settings = {
    kind: "pack",
    provider_price_id: FUZZED_PRODUCT,
    credits: 100,
    unit_amount: 100,
    currency: "usd",
    enabled,
  };
  await sql`select public.set_product('sandbox', false, ${FUZZED_PRODUCT}, ${
    sql.json(settings)
  })`;
}
afterAll(async () => {
  await falFunctions?.stop();
  await payments?.stop();
  await sellFuzzed(false);
  await sql`select public.refund_credits(id) from public.generation_jobs
    where account_id = any (${[
    user.id,
    other.id,
  ]}) and status in ('pending', 'running')`;
  await sql`update public.credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 100
    where name = ${UNHURRIED_PLAN}`;
});

const { webhooks } = new Stripe("sk_test_signs_only");
const HOUR = 3_600;
const now = () => Math.floor(Date.now() / 1000);
const bearer = (token: () => string) => () => ({
  apikey: stack.publishableKey,
  authorization: `Bearer ${token()}`,
});

const arsenal: Arsenal = {
  credentials: [
    () => user.token,
    () => poor.token,
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
    () => appKey,
    () => appKey.slice(0, -1),
    () => `${appKey.slice(0, -1)}${appKey.endsWith("0") ? "1" : "0"}`,
  ].map(bearer),
  operator: () => ({ apikey: stack.secretKey }),
  foreignAccount: () => other.id,
  foreignJob: () => foreignJob,
  ownJob: () => openJobs.pop() ?? canceledJob,
  ownCheckout: () => ownCheckout,
  foreignCheckout: () => foreignCheckout,
  foreignKey: () => foreignKey,
  ownKey: () => keys.pop() ?? revokedKey,
  madeJob: () => madeJob,
  callback: (route, body) => {
    const sign = route.endsWith("/fal") ? signedByFal : signed;
    const { address, headers } = sign(callbackUrls[route], body);
    return { query: new URL(address).search.slice(1), headers };
  },
  event: (payload) => ({
    "stripe-signature": webhooks.generateTestHeaderString({
      payload,
      secret: STRIPE_SECRET,
    }),
  }),
};

const PROBLEM = /^application\/problem\+json/;
/** Which statuses each route has answered with. */
const seen = new Map<string, Set<number>>();

/** Where a shot goes: some providers are set up in functions of their own. */
function urlOf({ path }: Shot): string {
  if (path.startsWith("payment-events/stripe")) return payments.url(path);
  return path.startsWith("provider-webhook/fal")
    ? falFunctions.url(path)
    : functionUrl(path);
}

/** Sends one, and says what is wrong with the answer. */
async function wrongWith(shot: Shot): Promise<string | undefined> {
  const { path, route = "astray", ...init } = shot;
  const url = urlOf(shot);
  const response = await fetch(url, {
    ...init,
    signal: AbortSignal.timeout(
      (TASKS.test(route) ? TASK_SECONDS : ANSWER_SECONDS) * 1000,
    ),
  });
  const { status, headers } = response;
  const text = await response.text();
  seen.set(route, (seen.get(route) ?? new Set()).add(status));
  if (!STATUSES.includes(status)) return `${status} ${text}`;
  const type = response.headers.get("content-type") ?? "";
  if (/event-stream/.test(type) && !text.endsWith("data: [DONE]\n\n")) {
    return `a stream that breaks off: ${text}`;
  }
  const below = new URL(url).pathname.replace("/functions/v1/", "");
  const described = routeOf(init.method, below);
  if (described && init.method !== "HEAD") {
    const body = /json/.test(type) ? JSON.parse(text) : undefined;
    const more = undescribed(described, { status, headers, body, text });
    return more.length > 0
      ? `${init.method} ${path}: ${more.join("; ")} ${text.slice(0, 300)}`
      : undefined;
  }
  if (status < 400 || init.method === "HEAD") return undefined;
  if (path.startsWith("openai")) {
    const { error } = JSON.parse(text);
    return error.code && error.message && error.metadata.request_id
      ? undefined
      : `an error without its members: ${text}`;
  }
  if (!PROBLEM.test(type)) return `${status} is ${type}: ${text}`;
  const problem = JSON.parse(text);
  return problem.status === status && problem.code && problem.detail
    ? undefined
    : `a problem without its members: ${text}`;
}

describe("requests made from the schemas and against them", {
  timeout: MOST_MINUTES * 60_000,
}, () => {
  test("are answered, never with a 500, and refused with a problem body", async () => {
    let sent = 0;
    let survived = 0;
    const volley = fc.array(shots(arsenal), {
      minLength: AT_ONCE,
      maxLength: AT_ONCE,
    });
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
        attack: "fuzzed HTTP requests",
        rounds: sent,
        unit: "requests",
        survived,
        lost: Math.abs(balance - ledgerSum),
      });
      expect([ledgerSum, remaining]).toEqual([balance, balance]);
    }
    // Nothing of another's was reached.
    expect((await readBooks(other.id)).balance).toBe(CREDITS - PRICE);
    expect((await readBooks(poor.id)).balance).toBe(0);
  });

  test("leave out no route of openapi.json", () => {
    const aimedAt = ROUTES.map((route) => {
      const [method, path] = route.split(" ") as [string, string];
      return routeOf(method, path);
    });
    expect(DOCUMENTED.filter((route) => !aimedAt.includes(route))).toEqual([]);
  });

  test("have reached every route, and provoked every refusal", async () => {
    const unseen = () =>
      ROUTES.filter((route) => {
        const statuses = [...seen.get(route) ?? []];
        return !statuses.some((status) => status < 300) ||
          !statuses.includes(route === EVENT ? 400 : 401);
      });
    // Chance left out some, where the requests were few.
    for (let volley = 0; volley < 20 && unseen().length > 0; volley++) {
      const left: readonly unknown[] = unseen();
      const more = fc.sample(shots(arsenal), 20 * AT_ONCE)
        .filter(({ route }) => left.includes(route));
      const wrong = await Promise.all(more.map(wrongWith));
      expect(wrong.filter((found) => found !== undefined)).toEqual([]);
    }
    expect(unseen()).toEqual([]);
    const all = new Set([...seen.values()].flatMap((each) => [...each]));
    expect(PROVOKED.filter((status) => !all.has(status))).toEqual([]);
  });
});
