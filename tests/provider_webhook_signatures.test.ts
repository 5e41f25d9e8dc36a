import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callbackAddress } from "../functions/_shared/callbacks.ts";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./support/callback_functions.ts";
import type { Job } from "./support/callback_mischief.ts";
import { readJobs, sql } from "./support/database.ts";
import {
  deliver,
  type Message,
  OLD_REPLICATE_SECRET,
  saying,
  signed,
} from "./support/replicate_server.ts";
import { makeToken } from "./support/tokens.ts";
import { createUser } from "./support/user.ts";

const START = 1_000;

let functions: CallbackFunctions;

beforeAll(async () => {
  functions = await startCallbackFunctions();
});
afterAll(() => functions?.stop());

/** A prompt that is nobody else's. */
const prompt = () => `a lighthouse ${randomUUID()}`;

const pixel = () => functions.provider.picture("pixel");

const MINUTE = 60_000;
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);
const withHeaders = (message: Message, headers: Record<string, string>) => ({
  ...message,
  headers: { ...message.headers, ...headers },
});

const withToken = (message: Message, token: string) => ({
  ...message,
  address: message.address.replace(/token=.*/, `token=${token}`),
});

/** Callbacks that nobody with the secret has sent, or not now, or not to this address. */
const FORGERIES: Record<string, (good: Message, given: Job) => Message> = {
  "unsigned": ({ address, body }) => ({
    address,
    body: String(body),
    headers: {},
  }),
  "without a timestamp": (good) =>
    withHeaders(good, { "webhook-timestamp": "" }),
  "without an id": (good) => withHeaders(good, { "webhook-id": "" }),
  "with an empty signature": (good) =>
    withHeaders(good, { "webhook-signature": "v1," }),
  "with a version alone": (good) =>
    withHeaders(good, { "webhook-signature": "v1" }),
  "of another version": (good) =>
    withHeaders(good, {
      "webhook-signature": good.headers["webhook-signature"]!.replace(
        "v1,",
        "v1a,",
      ),
    }),
  "with another's secret": ({ address, body }) =>
    signed(address, String(body), {
      secret: "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==",
    }),
  "six minutes old": ({ address, body }) =>
    signed(address, String(body), { sentAt: ago(6 * MINUTE) }),
  "six minutes ahead": ({ address, body }) =>
    signed(address, String(body), { sentAt: ago(-6 * MINUTE) }),
  "old, with a new timestamp": ({ address, body }) =>
    withHeaders(signed(address, String(body), { sentAt: ago(6 * MINUTE) }), {
      "webhook-timestamp": String(Math.floor(Date.now() / 1000)),
    }),
  "under another id": (good) =>
    withHeaders(good, { "webhook-id": "msg_other" }),
  "changed by a space": (good) => ({ ...good, body: `${good.body} ` }),
  "with a byte order mark": (good) => ({
    ...good,
    body: `\ufeff${good.body}`,
  }),
  "with bytes that are no text": (good) => ({
    ...good,
    body: new Uint8Array([
      ...new TextEncoder().encode(String(good.body)),
      0xff,
    ]),
  }),
  "to an address without a token": (good) => ({
    ...good,
    address: good.address.replace(/\?.*/, ""),
  }),
  "to an address with half a token": (good) => ({
    ...good,
    address: good.address.slice(0, -4),
  }),
  "to an address with a token that is none": (good) => ({
    ...good,
    address: good.address.replace(/token=.*/, "token=%00!"),
  }),
  "to an address that somebody else has made": (good, { jobId }) => {
    const claims = { aud: "replicate" };
    return withToken(good, makeToken(jobId, { claims, secret: "of nobody" }));
  },
  "to an address that nobody has signed": (good, { jobId }) => {
    const claims = { aud: "replicate" };
    return withToken(good, makeToken(jobId, { claims, algorithm: "none" }));
  },
  "to an address that is a user's token": (good, { jobId }) =>
    withToken(good, makeToken(jobId)),
  "to another provider's address": (good) => ({
    ...good,
    address: good.address.replace("/replicate", "/openai"),
  }),
  "to a provider's address that there is not": (good) => ({
    ...good,
    address: good.address.replace("/replicate", "/__proto__"),
  }),
};

describe("a callback", () => {
  test.each(Object.entries(FORGERIES))(
    "%s is refused with 401",
    async (_, forge) => {
      const user = await createUser({ credits: START });
      const given = await functions.submit(user, { prompt: prompt() });
      const good = saying(given, "failed");
      const { status, text, seen } = await deliver(forge(good, given));
      expect(status, text).toBe(401);
      expect(JSON.parse(text).code).toBe("unauthorized");
      expect(text + seen).not.toMatch(/whsec|stack|\.ts\b/);
      expect(await readJobs(user.id)).toMatchObject([{ status: "running" }]);
      // The forgery was as good as the original but for one thing.
      expect((await deliver(good)).status).toBe(200);
    },
  );

  test("is taken under the secret before, at an address of before, and with one good signature among others", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const good = saying(given, "processing");
    const old = signed(good.address, String(good.body), {
      secret: OLD_REPLICATE_SECRET,
    });
    const signature = good.headers["webhook-signature"];
    const formerAddress = await callbackAddress(
      functions.url(""),
      "replicate",
      given.jobId,
      OLD_REPLICATE_SECRET,
    );
    for (
      const message of [
        old,
        { ...good, address: formerAddress },
        withHeaders(good, { "webhook-signature": `v1,AAAA ${signature}` }),
        withHeaders(good, {
          "webhook-signature": `v1a,AAAA ${signature} v1,AAAA`,
        }),
      ]
    ) expect((await deliver(message)).status).toBe(200);
  });

  test("about another job than its address is for is refused, and learns nothing", async () => {
    const user = await createUser({ credits: START });
    const [one, two] = [
      await functions.submit(user, { prompt: prompt() }),
      await functions.submit(user, { prompt: prompt() }),
    ];
    const { body } = saying(one, "succeeded", [pixel()]);
    const crossed = await deliver(signed(two.webhook, String(body)));
    expect([crossed.status, JSON.parse(crossed.text).code])
      .toEqual([404, "not_found"]);
    expect((await readJobs(user.id)).map(({ status }) => status))
      .toEqual(["running", "running"]);
  });

  test("of one provider cannot end another's job", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    await sql`update public.generation_jobs set provider = 'openai' where id = ${given.jobId}`;
    const { status } = await deliver(saying(given, "failed"));
    expect(status).toBe(404);
    expect(await readJobs(user.id)).toMatchObject([{ status: "running" }]);
  });

  test("that is signed and makes no sense is refused with 400, one that is too large with 413", async () => {
    const user = await createUser({ credits: START });
    const { webhook, id } = await functions.submit(user, { prompt: prompt() });
    const nonsense = [
      "",
      "null",
      "[]",
      "{",
      '{"id": "x"}',
      "\ufeff{}",
      JSON.stringify({ id, status: "done" }),
      JSON.stringify({ id: "", status: "failed" }),
      JSON.stringify({ id: "a\0b", status: "failed" }),
      JSON.stringify({ id: "x".repeat(256), status: "failed" }),
    ];
    for (const body of nonsense) {
      const { status, text } = await deliver(signed(webhook, body));
      expect(status, body).toBe(400);
      expect(JSON.parse(text).code, body).toBe("invalid_request");
    }
    const large = JSON.stringify({
      id,
      status: "failed",
      logs: "x".repeat(2 ** 20),
    });
    expect((await deliver(signed(webhook, large))).status).toBe(413);
    expect(await readJobs(user.id)).toMatchObject([{ status: "running" }]);
  });

  test("at an address that nobody was given is refused before its body is read", async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
    });
    const { status } = await fetch(
      functions.url("provider-webhook/replicate?token=none"),
      {
        method: "POST",
        body,
        duplex: "half",
        signal: AbortSignal.timeout(5_000),
      } as RequestInit,
    );
    expect(status).toBe(401);
  });

  test("is a POST", async () => {
    const response = await fetch(functions.url("provider-webhook/replicate"));
    expect([response.status, response.headers.get("allow")])
      .toEqual([405, "POST, OPTIONS"]);
    await response.body?.cancel();
  });
});
