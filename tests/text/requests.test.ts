import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "../support/database.ts";
import { addModel } from "../support/models.ts";
import {
  appKeyOf,
  endedJobs,
  openAiClient,
  RATES,
  startTextScene,
  TEXT_MODEL,
  type TextScene,
  textUser,
  VECTOR_MODEL,
} from "../support/text_scene.ts";
import { TEXT_KEY } from "../support/text_out.ts";
import type { TestUser } from "../support/user.ts";

let scene: TextScene;
let user: TestUser;
beforeAll(async () => {
  scene = await startTextScene();
  user = await textUser();
});
afterAll(() => scene.stop());

const HELLO = [{ role: "user", content: "hello" }];

async function post(
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
  path = "chat/completions",
) {
  const response = await fetch(`${scene.baseURL}/${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${user.token}`,
      "content-type": "application/json",
      ...headers,
    },
    body: JSON.stringify({ model: TEXT_MODEL, messages: HELLO, ...body }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

describe("what the provider gets", () => {
  test("is what passes, with its own name of the model, our cap and its key", async () => {
    const answer = await post({
      temperature: 0.3,
      stop: ["x"],
      max_tokens: 77,
      stream: true,
      response_format: { type: "json_object" },
    });
    expect(answer.status, answer.text).toBe(200);
    const { path, headers, body } = scene.upstream.received.at(-1)!;
    expect(path).toBe("/v1/chat/completions");
    expect(headers.authorization).toBe(`Bearer ${TEXT_KEY}`);
    expect(JSON.stringify(headers)).not.toContain(user.token);
    expect(body).toEqual({
      model: "upstream-model",
      messages: HELLO,
      temperature: 0.3,
      stop: ["x"],
      stream: true,
      response_format: { type: "json_object" },
      max_tokens: 77,
      stream_options: { include_usage: true },
    });
  });

  test("is bounded where the client names no maximum", async () => {
    await post({});
    expect(scene.upstream.received.at(-1)!.body.max_tokens)
      .toBeGreaterThan(0);
  });

  const message = (content: unknown, more: Record<string, unknown> = {}) => ({
    messages: [{ role: "user", content, ...more }],
  });
  const part = (part: unknown) => message([part]);
  test.each<[string, Record<string, unknown>]>([
    ["models", { models: ["gpt-expensive"] }],
    ["service_tier", { service_tier: "priority" }],
    ["api_base", { api_base: "http://127.0.0.1" }],
    ["api_key", { api_key: "sk-mine" }],
    ["plugins", { plugins: [{ id: "web" }] }],
    ["fallbacks", { fallbacks: ["x"] }],
    ["web_search_options", { web_search_options: {} }],
    ["constructor", { constructor: 1 }],
    ["tools.0.type", { tools: [{ type: "web_search" }] }],
    [
      "messages.0.content.0.image_url",
      part({ type: "image_url", image_url: { url: "http://127.0.0.1/a.png" } }),
    ],
    ["messages.0.content.0.type", part({ type: "file", file: { id: "f" } })],
    [
      "messages.0.content",
      message({ type: "image_url", image_url: { url: "http://127.0.0.1/a" } }),
    ],
    [
      "messages.0.content.0.image_url",
      part({
        type: "image_url",
        image_url: { url: ["data:image/png;base64,", "http://127.0.0.1/a"] },
      }),
    ],
    ["messages.0.content.0.type", part({ type: ["text"], file: "f" })],
    [
      "messages.0.images",
      message("hello", {
        images: [{ image_url: { url: "http://127.0.0.1/a" } }],
      }),
    ],
    ["messages.0.audio", message("hello", { audio: { id: "a" } })],
    [
      "messages",
      part({
        type: "image_url",
        image_url: { url: "data:image/png;base64,AAAA" },
      }),
    ],
  ])("never has %s", async (param, more) => {
    const before = scene.upstream.received.length;
    const answer = await post(more);
    expect(answer.status, answer.text).toBe(400);
    expect(JSON.parse(answer.text).error).toMatchObject({
      type: "invalid_request_error",
      code: "unsupported_parameter",
      param,
    });
    expect(scene.upstream.received.length).toBe(before);
  });
});

describe("what is to be written to the provider's cache", () => {
  const mark = (cache_control: unknown) => ({
    messages: [{
      role: "user",
      content: [{ type: "text", text: "hello", cache_control }],
    }],
  });
  const usual = { type: "ephemeral" };
  const param = "messages.0.content.0.cache_control";
  /** The same provider, with a price for it. */
  const CACHING = "test-caching";
  beforeAll(() =>
    addModel(sql, CACHING, { ...RATES, cache_write_token: 1.25 }, {
      provider: "loopback",
      provider_model: "upstream-caching",
    })
  );

  test.each<[string, Record<string, unknown>]>([
    ["without a price for it", { ...mark(usual), model: TEXT_MODEL }],
    ["for an hour", mark({ ...usual, ttl: "1h" })],
    ["for as long as the provider likes", mark({ type: "persistent" })],
  ])("does not pass %s", async (_, more) => {
    const before = scene.upstream.received.length;
    const answer = await post({ model: CACHING, ...more });
    expect(answer.status, answer.text).toBe(400);
    expect(JSON.parse(answer.text).error)
      .toMatchObject({ code: "unsupported_parameter", param });
    expect(scene.upstream.received.length).toBe(before);
  });

  test.each([
    [
      "messages.0.cache_control",
      { messages: [{ ...HELLO[0], cache_control: 1 }] },
    ],
    [
      "tools.0.cache_control",
      { tools: [{ type: "function", cache_control: { ttl: "1h" } }] },
    ],
    [
      "tools.0.function.cache_control",
      { tools: [{ type: "function", function: { cache_control: [] } }] },
    ],
  ])("does not pass at %s either", async (param, more) => {
    const answer = await post({ model: CACHING, ...more });
    expect(answer.status, answer.text).toBe(400);
    expect(JSON.parse(answer.text).error.param).toBe(param);
  });

  test("passes for five minutes where it has a price", async () => {
    for (const cache_control of [usual, { ...usual, ttl: "5m" }]) {
      const answer = await post({ model: CACHING, ...mark(cache_control) });
      expect(answer.status, answer.text).toBe(200);
      expect(scene.upstream.received.at(-1)!.body.messages)
        .toEqual(mark(cache_control).messages);
    }
  });

  test("is no field of a tool that has the same name", async () => {
    const parameters = {
      type: "object",
      properties: { cache_control: { type: "string" } },
    };
    const tools = [{ type: "function", function: { name: "f", parameters } }];
    const answer = await post({ tools });
    expect(answer.status, answer.text).toBe(200);
  });
});

test("vectors have a bounded number of dimensions", async () => {
  const client = openAiClient(scene, (await textUser()).token);
  const asked = { model: VECTOR_MODEL, input: "hello" };
  for (const dimensions of [0, -1, 1.5, 1_000_000_000]) {
    await expect(client.embeddings.create({ ...asked, dimensions }))
      .rejects.toMatchObject({ status: 400, param: "dimensions" });
  }
  await client.embeddings.create({ ...asked, dimensions: 2 });
});

describe("an error", () => {
  test.each<[number, string, Record<string, unknown>, Record<string, string>]>([
    [400, "invalid_request", { messages: [] }, {}],
    [400, "invalid_request", { max_tokens: 0 }, {}],
    [400, "invalid_request", {}, { "idempotency-key": "x".repeat(256) }],
    [400, "invalid_model", { model: "no-such-model" }, {}],
    [401, "unauthorized", {}, { authorization: "" }],
    [401, "invalid_app_key", {}, { authorization: "Bearer ack_12" }],
    [401, "invalid_app_key", {}, {
      authorization: `Bearer ack_${"0".repeat(68)}`,
    }],
    [415, "unsupported_media_type", {}, { "content-type": "text/plain" }],
  ])("%i %s has OpenAI's form", async (status, code, body, headers) => {
    const answer = await post(body, headers);
    expect(answer.status, answer.text).toBe(status);
    const { error } = JSON.parse(answer.text);
    expect(Object.keys(error))
      .toEqual(["message", "type", "code", "param", "metadata"]);
    expect(error.code).toBe(code);
    expect(error.metadata.request_id)
      .toBe(answer.headers.get("x-request-id"));
    expect(answer.headers.get("x-should-retry")).toBe("false");
  });

  test("429 says when to come back", async () => {
    const hurried = await textUser();
    await sql`insert into public.credit_plans
      (name, rate_limit_requests, rate_limit_window_seconds)
      values ('test-once-an-hour', 1, 3600) on conflict do nothing`;
    await sql`update public.credit_accounts set plan = 'test-once-an-hour'
      where id = ${hurried.id}`;
    const client = openAiClient(scene, hurried.token);
    const ask = () =>
      client.chat.completions.create({
        model: TEXT_MODEL,
        messages: [{ role: "user", content: "hello" }],
      }).catch((error) => error);
    expect((await ask()).usage.cost).toBe(30);
    const answer = await ask();
    expect(answer).toMatchObject({ status: 429, code: "rate_limited" });
    expect(answer.type).toBe("rate_limit_error");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(answer.headers.get("x-should-retry")).toBeNull();
  });
});

describe("a repeated key", () => {
  test("is one call to the provider: in flight, then not kept", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const messages = [{ role: "user", content: "do silence" }];
    const slow = { messages, stream: true };
    const before = scene.upstream.received.length;
    const first = post(slow, headers);
    await expect.poll(() => scene.upstream.received.length, { timeout: 10_000 })
      .toBe(before + 1);
    const second = await post(slow, headers);
    expect(second.status, second.text).toBe(409);
    expect(JSON.parse(second.text).error.code).toBe("request_in_flight");
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await first).status).toBe(504);
    const third = await post(slow, headers);
    expect(third.status, third.text).toBe(502);
    expect(third.headers.get("x-should-retry")).toBe("false");
    expect(scene.upstream.received.length).toBe(before + 1);
  });

  test("is told what the first one cost, and not to ask again", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const before = scene.upstream.received.length;
    expect((await post({}, headers)).status).toBe(200);
    const second = await post({}, headers);
    expect(second.status, second.text).toBe(409);
    expect(JSON.parse(second.text).error).toMatchObject({
      code: "answer_not_kept",
      metadata: { job_id: expect.any(String), cost: 30 },
    });
    expect(second.headers.get("x-should-retry")).toBe("false");
    expect(scene.upstream.received.length).toBe(before + 1);
  });
});

describe("an app key", () => {
  test("has its cap and its models", async () => {
    const owner = await textUser();
    const capped = await appKeyOf(owner, { cap: 10 });
    const authorization = `Bearer ${capped}`;
    const answer = await post({ max_tokens: 50 }, { authorization });
    expect(answer.status, answer.text).toBe(402);
    expect(JSON.parse(answer.text).error.code).toBe("key_cap_reached");
    const other = await appKeyOf(owner, { models: ["standard-text"] });
    const refused = await post({}, { authorization: `Bearer ${other}` });
    expect(refused.status, refused.text).toBe(403);
    expect(JSON.parse(refused.text).error.code).toBe("model_not_in_key");
  });

  test("is refused once it is revoked, within the terms' moment too", async () => {
    const owner = await textUser();
    const authorization = `Bearer ${await appKeyOf(owner)}`;
    expect((await post({}, { authorization })).status).toBe(200);
    await sql`select public.revoke_app_key(${owner.id}, ${owner.id}, id)
      from public.credit_app_keys where account_id = ${owner.id}`;
    const answer = await post({}, { authorization });
    expect(answer.status, answer.text).toBe(401);
  });

  test("makes pictures", async () => {
    const owner = await textUser();
    const client = openAiClient(scene, await appKeyOf(owner));
    const { data } = await client.images.generate({
      model: "standard-image",
      prompt: "a lighthouse",
      size: "64x64" as never,
    });
    expect(data![0]!.b64_json).toMatch(/^iVBORw0KGgo/);
    expect(await endedJobs(owner)).toMatchObject([{ charged: 500 }]);
  });
});

test("no word of a conversation is kept or logged", async () => {
  const secret = `whisper-${randomUUID()}`;
  const messages = [{ role: "user", content: `${secret}, do error_event` }];
  await post({ messages, stream: true }, { "idempotency-key": randomUUID() });
  await post({ messages, model: "no-such-model" });
  await post({ messages, max_tokens: 50_000 });
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname in ('public', 'credits')`;
  expect(tables.length).toBeGreaterThan(20);
  for (const { name } of tables) {
    const found = await sql`
      select from ${sql.unsafe(name)} as row where row::text like ${
      "%" + secret + "%"
    }`;
    expect(found.length, name).toBe(0);
  }
  expect(scene.functions.logged.join("\n")).not.toContain(secret);
  expect(scene.functions.logged.join("\n")).not.toContain(TEXT_KEY);
});
