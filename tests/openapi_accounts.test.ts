import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { userHeaders } from "./support/http.ts";
import {
  closeScene,
  expectStatus,
  openScene,
  poor,
  product,
  SERVER,
  stripe,
  there,
  unseen,
  user,
} from "./support/openapi_scene.ts";
import { pay } from "./support/stripe_server/checkout.ts";
import { sign } from "./support/stripe_server/delivery.ts";
import { STRIPE_SECRET } from "./support/stripe_server/index.ts";

/** Functions whose answers openapi_generations.test.ts compares. */
const OTHERS = ["credits", "generate", "jobs", "provider-webhook", "uploads"];
let appKey: { id: string; key: string };

beforeAll(openScene);
afterAll(closeScene);

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

test("every success that openapi.json names was had", () => {
  expect(unseen((name) => !OTHERS.includes(name))).toEqual([]);
});
