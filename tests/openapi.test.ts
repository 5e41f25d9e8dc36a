import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { responseOf } from "../scripts/openapi/reader.ts";
import { FUNCTION_NAMES } from "../scripts/stack/function_names.ts";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./support/callback_functions.ts";
import { sql } from "./support/database.ts";
import {
  type Answer,
  functionUrl,
  SMALL_IMAGE,
  userHeaders,
} from "./support/http.ts";
import { CALLBACK_MODEL } from "./support/models.ts";
import {
  DOCUMENTED,
  OPENAPI,
  routeOf,
  undescribed,
} from "./support/openapi.ts";
import { APP, sell } from "./support/payments.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { saying, signed } from "./support/replicate_server.ts";
import { stack } from "./support/stack.ts";
import { pay } from "./support/stripe_server/checkout.ts";
import { sign } from "./support/stripe_server/delivery.ts";
import {
  startStripeServer,
  STRIPE_SECRET,
  STRIPE_TEST_KEY,
  type StripeServer,
} from "./support/stripe_server/index.ts";
import { createUser, type TestUser } from "./support/user.ts";

const PERIOD = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";

let stripe: StripeServer;
let functions: CallbackFunctions;
let user: TestUser;
let poor: TestUser;
let appKey: { id: string; key: string };
let product: string;
const SERVER = { apikey: stack.secretKey, "content-type": "application/json" };

beforeAll(async () => {
  stripe = await startStripeServer();
  functions = await startCallbackFunctions({
    PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
    PAYMENTS_STRIPE_WEBHOOK_SECRETS: STRIPE_SECRET,
    PAYMENTS_STRIPE_BASE_URL: stripe.origin,
    PAYMENTS_RETURN_URLS: APP,
  });
  [user, poor] = await Promise.all([
    createUser({ credits: 100_000, plan: UNHURRIED_PLAN }),
    createUser({ credits: 0 }),
  ]);
  product = (await sell(stripe.world, { credits: 1_000 })).name;
});
afterAll(async () => {
  await sql`select public.refund_credits(id) from public.generation_jobs
    where account_id = ${user.id} and status in ('pending', 'running')`;
  await functions?.stop();
  await stripe?.close();
});

/** Which statuses each route has answered with. */
const seen = new Map<string, Set<string>>();

/** Sends a request, and expects an answer that openapi.json describes. */
async function ask(
  method: string,
  path: string,
  { body, headers = userHeaders(user), at = functionUrl }: {
    body?: unknown;
    headers?: Record<string, string>;
    at?: (path: string) => string;
  } = {},
): Promise<Answer> {
  const route = routeOf(method, path)!;
  expect(route, `${method} ${path}`).toBeDefined();
  const response = await fetch(at(path), {
    method,
    headers,
    body: typeof body === "string" || body === undefined
      ? body
      : JSON.stringify(body),
  });
  const text = await response.text();
  const { status } = response;
  const answer = {
    status,
    headers: response.headers,
    text,
    body: /json/.test(response.headers.get("content-type") ?? "")
      ? JSON.parse(text)
      : undefined,
  };
  expect(undescribed(route, answer), `${method} ${path}: ${text}`).toEqual([]);
  const name = `${method} ${route.path}`;
  seen.set(name, (seen.get(name) ?? new Set()).add(String(status)));
  return answer;
}

/** Sends it, and expects this status. */
async function expectStatus(
  status: number,
  ...request: Parameters<typeof ask>
): Promise<Answer> {
  const answer = await ask(...request);
  expect(answer.status, answer.text).toBe(status);
  return answer;
}

/** Charges through SQL, so that the job stays open. */
async function openJob(of = user): Promise<string> {
  const [job] = await sql`
    select (public.atomic_charge_credits(${of.id}, 'standard-image', '{"prompt": "a"}')).job_id as id`;
  return job!.id;
}

async function madeJob(input: object = {}): Promise<Answer> {
  return await expectStatus(200, "POST", "generate", {
    body: { ...SMALL_IMAGE, ...input },
  });
}

const there = { at: (path: string) => functions.url(path) };

test("openapi.json is a document of OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(
    readFileSync("openapi.json", "utf8"),
  );
  expect(valid, JSON.stringify(errors)).toBe(true);
  expect(validator.version).toBe("3.1");
});

test("every function has routes in it, and no route is of another", () => {
  const names = DOCUMENTED.map(({ path }) => path.split("/")[1]!);
  expect([...new Set(names)].sort()).toEqual([...FUNCTION_NAMES]);
});

test("every path takes the methods that it says, and no others", async () => {
  for (const [path, operations] of Object.entries(OPENAPI.paths)) {
    const url = functionUrl(path.slice(1).replace(/\{\w+\}/g, randomUUID()));
    const response = await fetch(url, { method: "OPTIONS" });
    const served = response.headers.get("allow")!.split(", ");
    const methods = Object.keys(operations).map((each) => each.toUpperCase());
    const expected = methods.includes("GET") ? [...methods, "HEAD"] : methods;
    expect(served.sort(), path).toEqual([...expected, "OPTIONS"].sort());
  }
});

describe("answers are as openapi.json says:", () => {
  test("generate", async () => {
    const key = { "idempotency-key": randomUUID() };
    const request = {
      body: SMALL_IMAGE,
      headers: { ...userHeaders(user), ...key },
    };
    const { body } = await expectStatus(200, "POST", "generate", request);
    const replayed = await expectStatus(200, "POST", "generate", request);
    expect(replayed.headers.get("idempotency-replayed")).toBe("true");
    // What is no output there would be anything here.
    expect(Object.keys(body.outputs[0]).sort()).toEqual([
      "bytes",
      "height",
      "media_type",
      "path",
      "url",
      "url_expires_at",
      "width",
    ]);
    await expectStatus(422, "POST", "generate", {
      ...request,
      body: { ...SMALL_IMAGE, seed: 2 },
    });
    await madeJob({ response_format: "base64" });
    const accepted = await expectStatus(202, "POST", "generate", {
      ...there,
      body: { ...CALLBACK_MODEL, prompt: randomUUID() },
    });
    await expectStatus(
      200,
      "POST",
      `jobs/${accepted.body.job_id}/cancel`,
      there,
    );
  });

  test.each<[number, unknown]>([
    [400, { ...SMALL_IMAGE, width: 0 }],
    [400, { ...SMALL_IMAGE, model: "no-such-model" }],
    [400, "{"],
    [409, { ...SMALL_IMAGE, max_cost: 0 }],
    [403, { ...SMALL_IMAGE, account_id: randomUUID() }],
    [413, `"${"x".repeat(600_000)}"`],
  ])("generate refused with %i", async (status, body) => {
    await expectStatus(status, "POST", "generate", { body });
  });

  test("generate without credits, JSON or a token", async () => {
    const body = SMALL_IMAGE;
    const headers = userHeaders(poor);
    await expectStatus(402, "POST", "generate", { body, headers });
    await expectStatus(401, "POST", "generate", { body, headers: {} });
    await expectStatus(415, "POST", "generate", {
      body: "prompt=a",
      headers: { ...userHeaders(user), "content-type": "text/plain" },
    });
    await expectStatus(400, "POST", "generate", { body, headers: SERVER });
  });

  test("jobs", async () => {
    const { body: { job_id } } = await madeJob();
    await madeJob();
    await expectStatus(200, "GET", "jobs");
    const { body: page } = await expectStatus(200, "GET", "jobs?limit=1");
    await expectStatus(200, "GET", `jobs?cursor=${page.next_cursor}`);
    await expectStatus(200, "GET", `jobs?id=${job_id}`);
    await expectStatus(200, "GET", `jobs/${job_id}`);
    await expectStatus(409, "DELETE", `jobs/${job_id}`);
    await expectStatus(200, "DELETE", `jobs/${job_id}/output`);
    await expectStatus(200, "DELETE", `jobs/${job_id}/content`);
    await expectStatus(400, "GET", "jobs?limit=0");
    await expectStatus(400, "GET", "jobs/x");
    for (
      const [method, path] of [
        ["GET", ""],
        ["DELETE", ""],
        ["POST", "/cancel"],
        ["DELETE", "/output"],
        ["DELETE", "/content"],
      ] as const
    ) await expectStatus(404, method, `jobs/${randomUUID()}${path}`);
  });

  test("jobs that are canceled", async () => {
    const job = await openJob();
    await expectStatus(409, "DELETE", `jobs/${job}/content`);
    await expectStatus(409, "DELETE", `jobs/${job}/output`);
    await expectStatus(200, "POST", `jobs/${job}/cancel`);
    await expectStatus(200, "DELETE", `jobs/${await openJob()}`);
  });

  test("jobs whose provider does not stop at once", async () => {
    for (const [method, path] of [["POST", "/cancel"], ["DELETE", ""]]) {
      const given = await functions.submit(user, { prompt: randomUUID() });
      functions.provider.cancels.set(given.id, "later");
      await expectStatus(202, method!, `jobs/${given.jobId}${path}`, there);
    }
  });

  test("callbacks", async () => {
    const given = await functions.submit(user, { prompt: randomUUID() });
    const picture = functions.provider.picture("pixel");
    const said = saying(given, "succeeded", [picture]);
    const [body, { address, headers }] = [String(said.body), said];
    const path = address.slice(address.indexOf("provider-webhook"));
    await expectStatus(401, "POST", path, { ...there, body });
    await expectStatus(200, "POST", path, { ...there, body, headers });
    await expectStatus(200, "GET", `jobs/${given.jobId}`);
    const stranger = signed(
      address.replace(/token=.*/, "token=a.b.c"),
      body,
    ).headers;
    await expectStatus(401, "POST", "provider-webhook/replicate?token=a", {
      ...there,
      body,
      headers: stranger,
    });
  });

  test("credits", async () => {
    await sql`select public.grant_credits(${user.id}, 5, 'test', p_expires_at => now() + interval '1 day')`;
    const { body } = await expectStatus(200, "GET", "credits");
    expect(body.expiring_grants.length).toBeGreaterThan(0);
    await expectStatus(200, "GET", "credits/entries?limit=2");
    await expectStatus(200, "GET", `credits/statement?${PERIOD}`);
    await expectStatus(200, "GET", `credits/statement?${PERIOD}`, {
      headers: { ...userHeaders(user), accept: "text/csv" },
    });
    const chat = { model: "standard-text", messages: [{ role: "user" }] };
    await expectStatus(200, "POST", "credits/quote", { body: SMALL_IMAGE });
    await expectStatus(200, "POST", "credits/quote", { body: chat });
    await expectStatus(400, "POST", "credits/quote", {
      body: { ...chat, web_search: true },
    });
    await expectStatus(409, "POST", "credits/quote", {
      body: { ...SMALL_IMAGE, max_cost: 0 },
    });
    for (
      const path of [
        "credits?",
        "credits/entries?",
        `credits/statement?${PERIOD}&`,
      ]
    ) {
      await expectStatus(404, "GET", `${path}account_id=${randomUUID()}`);
      await expectStatus(400, "GET", `${path}account_id=x`);
    }
  });

  test("uploads", async () => {
    const body = { media_type: "image/png", bytes: 100 };
    await expectStatus(201, "POST", "uploads", { body });
    await expectStatus(400, "POST", "uploads", { body: {} });
    const account_id = randomUUID();
    await expectStatus(403, "POST", "uploads", {
      body: { ...body, account_id },
    });
  });

  test("keys", async () => {
    const body = {
      name: "shop",
      models: ["standard-text"],
      monthly_cap: 9_000,
    };
    appKey = (await expectStatus(201, "POST", "keys", { body })).body;
    await expectStatus(200, "GET", "keys");
    await expectStatus(400, "POST", "keys", { body: {} });
    await expectStatus(403, "GET", `keys?account_id=${poor.id}`);
    const other = await expectStatus(201, "POST", "keys", {
      body: { name: "a" },
    });
    await expectStatus(200, "DELETE", `keys/${other.body.id}`);
    await expectStatus(404, "DELETE", `keys/${randomUUID()}`);
  });

  test("payments", async () => {
    await expectStatus(200, "GET", "products", there);
    await expectStatus(400, "GET", "products?x=1", there);
    await expectStatus(404, "POST", "billing-portal", { ...there, body: {} });
    const { body } = await expectStatus(201, "POST", "checkout", {
      ...there,
      body: { product },
    });
    await expectStatus(404, "POST", "checkout", {
      ...there,
      body: { product: "nothing" },
    });
    const path = `checkout/${body.checkout_id}`;
    await expectStatus(200, "GET", path, there);
    await expectStatus(404, "GET", "checkout/cs_test_none", there);
    await expectStatus(200, "POST", "billing-portal", { ...there, body: {} });
    pay(stripe.world, body.checkout_id);
    const { event } = stripe.world.happenings.at(-1)!;
    const text = JSON.stringify(event);
    const headers = { "stripe-signature": await sign(text, STRIPE_SECRET) };
    const sent = { ...there, body: text, headers };
    await expectStatus(200, "POST", "payment-events/stripe", sent);
    await expectStatus(400, "POST", "payment-events/stripe", {
      ...sent,
      headers: {},
    });
    await expectStatus(404, "POST", "payment-events/nobody", sent);
    await expectStatus(200, "GET", path, there);
    const { body: page } = await expectStatus(200, "GET", "payments", there);
    expect(page.data.length).toBeGreaterThan(0);
  });

  test("openai", async () => {
    const headers: Record<string, string> = {
      authorization: `Bearer ${appKey.key}`,
      "content-type": "application/json",
    };
    const chat = {
      model: "standard-text",
      messages: [{ role: "user", content: "a" }],
      max_tokens: 3,
    };
    const post = (status: number, path: string, body: unknown, as = headers) =>
      expectStatus(status, "POST", `openai/v1/${path}`, { body, headers: as });
    await post(200, "chat/completions", chat);
    await post(200, "chat/completions", { ...chat, stream: true });
    await post(400, "chat/completions", { ...chat, service_tier: "flex" });
    await post(400, "chat/completions", { ...chat, messages: [] });
    await post(403, "chat/completions", { ...chat, model: "standard-image" });
    await post(402, "chat/completions", chat, userHeaders(poor));
    await post(401, "chat/completions", chat, {
      ...headers,
      authorization: `Bearer ack_${"0".repeat(68)}`,
    });
    const own = userHeaders(user);
    const embedding = { model: "standard-text", input: "a" };
    await post(200, "embeddings", embedding, own);
    const picture = { model: "standard-image", prompt: "a", size: "64x64" };
    await post(200, "images/generations", picture, own);
    await post(200, "images/generations", {
      ...picture,
      response_format: "url",
    }, own);
    const speech = { model: "standard-speech", input: "a" };
    await post(200, "audio/speech", speech, own);
    await expectStatus(200, "GET", "openai/v1/models", { headers });
    for (const path of ["embeddings", "images/generations", "audio/speech"]) {
      await post(401, path, {}, { ...headers, authorization: "" });
      await post(400, path, {});
    }
    await expectStatus(401, "GET", "openai/v1/models", { headers: {} });
  });

  test("what operators and the schedule call", async () => {
    const operator = { headers: SERVER };
    await expectStatus(200, "GET", "metrics", operator);
    await expectStatus(200, "GET", "metrics", {
      headers: {
        ...SERVER,
        accept: "application/openmetrics-text;version=1.0.0",
      },
    });
    await expectStatus(200, "POST", "reconcile", { ...operator, body: {} });
    await expectStatus(400, "POST", "reconcile", { ...operator, body: [] });
    await expectStatus(200, "POST", "deliver-events", operator);
    for (const task of ["ask-providers", "delete-objects", "move-outputs"]) {
      await expectStatus(200, "POST", `tasks/${task}`, operator);
    }
  });

  test("every route without credentials", async () => {
    for (const { method, path } of DOCUMENTED) {
      if (path.includes("{provider}")) continue;
      const body = method === "POST" ? {} : undefined;
      const called = path.slice(1).replace(/\{\w+\}/g, randomUUID());
      await expectStatus(401, method, called, { body, headers: {} });
    }
  });
});

test("every success that openapi.json names was had", () => {
  const named = DOCUMENTED.flatMap(({ method, path, operation }) =>
    Object.keys(operation.responses).filter((status) => Number(status) < 400)
      .map((status) => [`${method} ${path}`, status] as const)
  );
  const missing = named.filter(([route, status]) =>
    !seen.get(route)?.has(status)
  ).map((each) => each.join(" "));
  expect(missing).toEqual([]);
});

test("an answer that openapi.json does not have is noticed", () => {
  const route = routeOf("GET", "credits")!;
  const headers = new Headers({
    "content-type": "application/json",
    "x-request-id": randomUUID(),
  });
  const answer = { status: 200, headers, text: "", body: { surplus: 1 } };
  expect(undescribed(route, answer).join("\n")).toMatch(/surplus/);
  expect(undescribed(route, { ...answer, status: 418 })).toHaveLength(1);
  expect(responseOf(OPENAPI, route.operation, 200)).toBeDefined();
});
