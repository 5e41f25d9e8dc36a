import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callbackAddress } from "../functions/_shared/callbacks.ts";
import { callbackRegistry } from "../functions/_shared/providers/callback_registry.ts";
import {
  type CallbackFunctions,
  startFalFunctions,
} from "./support/callback_functions.ts";
import { readBooks, readJobDeltas, readJobs, sql } from "./support/database.ts";
import {
  FAL_KEY,
  FAL_VOICE,
  type FalServer,
  OLD_FAL_KEY,
  sayingAsFal,
  signedByFal,
} from "./support/fal_server.ts";
import {
  deliver,
  type Message,
  SUBMISSIONS,
} from "./support/callback_server.ts";
import { createUser } from "./support/user.ts";

const START = 1_000;
const PRICE = 500;
const UNCHANGED = { balance: START, ledgerSum: START, remaining: START };

let functions: CallbackFunctions<FalServer>;

beforeAll(async () => {
  functions = await startFalFunctions();
});
afterAll(() => functions?.stop());

/** A prompt that is nobody else's. */
const prompt = () => `a lighthouse ${randomUUID()}`;

const pixel = () => functions.provider.picture("pixel");

const withHeader = (good: Message, name: string, value: string): Message => ({
  ...good,
  headers: { ...good.headers, [`x-fal-webhook-${name}`]: value },
});

describe("a generation at fal", () => {
  test("is submitted to its queue, with what its models take", async () => {
    const user = await createUser({ credits: START });
    const words = prompt();
    const { status, body } = await functions.generate(user, {
      prompt: words,
      seed: 7,
    });
    expect(status).toBe(202);
    const [given, ...more] = functions.provider.predictions(words);
    expect(more).toEqual([]);
    expect(given).toMatchObject({
      version: "acme/painter/fast",
      input: {
        prompt: words,
        image_size: { width: 64, height: 64 },
        num_images: 1,
        seed: 7,
      },
    });
    expect(given!.headers).toMatchObject({ "x-fal-request-timeout": "3" });
    expect(given!.webhook).toMatch(
      `${functions.url("provider-webhook/fal")}?token=`,
    );
    // The address of a callback proves itself, and does not tell the key.
    expect(given!.webhook).not.toContain(FAL_KEY);
    const [job] = await sql`
      select status, provider_job_id from public.generation_jobs where id = ${
      String(body.job_id)
    }`;
    expect(job).toEqual({ status: "running", provider_job_id: given!.id });
  });

  test("ends with its picture", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const message = sayingAsFal(given, "succeeded", [pixel()]);
    expect(JSON.parse((await deliver(message)).text))
      .toEqual({ job_id: given.jobId, code: "settled" });
    expect(JSON.parse((await deliver(message)).text).code).toBe("unchanged");
    expect(await readJobs(user.id)).toMatchObject([{ status: "succeeded" }]);
    expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
  });

  test.each(
    [
      ["failed", "provider_failed", "provider_error"],
      ["aborted", "provider_timeout", "timeout"],
      ["canceled", "provider_timeout", "timeout"],
    ] as const,
  )("is refunded when it is %s there", async (status, code, reason) => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const { text } = await deliver(sayingAsFal(given, status));
    expect(JSON.parse(text).code).toBe("failed");
    const [job] = await sql`
      select status, error from public.generation_jobs where id = ${given.jobId}`;
    expect(job).toMatchObject({ status: "failed", error: { code, reason } });
    expect(JSON.stringify(job)).not.toContain(FAL_KEY);
    expect(await readBooks(user.id)).toEqual(UNCHANGED);
  });

  test("is refunded with its reason when its content is refused", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const payload = {
      detail: [{
        loc: ["body", "prompt"],
        msg: "flagged",
        type: "content_policy_violation",
      }],
    };
    const body = { request_id: given.id, status: "ERROR", payload };
    await deliver(signedByFal(given.webhook, JSON.stringify(body)));
    const [job] = await sql`
      select error from public.generation_jobs where id = ${given.jobId}`;
    expect(job!.error).toMatchObject({ reason: "content_policy" });
  });

  test.each(
    [
      ["no payload", { payload: null, payload_error: "not serializable" }],
      ["nothing in it", { payload: {} }],
      ["no addresses", { payload: { images: [{ width: 1 }, 7, null] } }],
    ] as const,
  )("that succeeded with %s is refunded", async (_, result) => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const body = { request_id: given.id, status: "OK", ...result };
    const message = signedByFal(given.webhook, JSON.stringify(body));
    expect(JSON.parse((await deliver(message)).text).code).toBe("failed");
    expect(await readBooks(user.id)).toEqual(UNCHANGED);
  });

  test.each(Object.entries(SUBMISSIONS))(
    "is refunded when fal does not take it: %s",
    async (_, words) => {
      const user = await createUser({ credits: START });
      const prompt = `${words} ${randomUUID()}`;
      const { status, text } = await functions.generate(user, { prompt });
      expect(status, text).toBe(502);
      expect(text).not.toContain(FAL_KEY);
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
    },
  );
});

describe("a callback of fal", () => {
  test.each<[string, (good: Message, given: { jobId: string }) => Message]>([
    ["unsigned", (good) => ({ ...good, headers: {} })],
    [
      "signed as Standard Webhooks has it",
      (good) => ({ ...good, headers: { "webhook-signature": "v1,AAAA" } }),
    ],
    [
      "signed with a stranger's key",
      ({ address, body }) =>
        FAL_VOICE.signed(address, String(body), { by: "stranger" }),
    ],
    [
      "six minutes old",
      ({ address, body }) =>
        FAL_VOICE.signed(address, String(body), {
          sentAt: new Date(Date.now() - 360_000),
        }),
    ],
    ["of another user", (good) => withHeader(good, "user-id", "another")],
    ["changed by a space", (good) => ({ ...good, body: `${good.body} ` })],
    [
      "at an address without a token",
      (good) => ({ ...good, address: good.address.replace(/\?.*/, "") }),
    ],
    [
      // fal signs for all who have a key there: the address alone tells who was asked.
      "at an address that somebody else made up",
      (good) => ({ ...good, address: `${good.address.slice(0, -6)}AAAAAA` }),
    ],
    [
      "at another provider's address",
      (good) => ({
        ...good,
        address: good.address.replace("/fal", "/replicate"),
      }),
    ],
  ])("%s is refused with 401", async (_, forge) => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const good = sayingAsFal(given, "failed");
    const { status, text, seen } = await deliver(forge(good, given));
    expect(status, text).toBe(401);
    expect(text + seen).not.toMatch(/stack|\.ts\b/);
    expect(await readJobs(user.id)).toMatchObject([{ status: "running" }]);
    // The forgery was as good as the original but for one thing.
    expect((await deliver(good)).status).toBe(200);
  });

  test("is taken at an address of before, and with the other key of the set", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const before = callbackRegistry((name) =>
      name === "FAL_KEY" ? OLD_FAL_KEY : undefined
    )("fal")!;
    const webhook = await callbackAddress(
      functions.url(""),
      "fal",
      given.jobId,
      before.addressSecrets[0]!,
    );
    expect(webhook).not.toBe(given.webhook);
    const { body } = sayingAsFal(given, "failed");
    const old = FAL_VOICE.signed(webhook, String(body), { by: "old" });
    expect((await deliver(old)).status).toBe(200);
    expect(await readJobs(user.id)).toMatchObject([{ status: "failed" }]);
  });

  test("replayed at another job's address is refused, and learns nothing", async () => {
    const user = await createUser({ credits: START });
    const one = await functions.submit(user, { prompt: prompt() });
    const two = await functions.submit(user, { prompt: prompt() });
    const message = sayingAsFal(one, "succeeded", [pixel()]);
    const crossed = await deliver({ ...message, address: two.webhook });
    expect([crossed.status, JSON.parse(crossed.text).code])
      .toEqual([404, "not_found"]);
  });

  test("that makes no sense is refused with 400", async () => {
    const user = await createUser({ credits: START });
    const { webhook, id } = await functions.submit(user, { prompt: prompt() });
    for (
      const body of [
        "",
        "null",
        "{",
        JSON.stringify({ request_id: id }),
        JSON.stringify({ request_id: id, status: "DONE" }),
        JSON.stringify({ request_id: "", status: "OK" }),
      ]
    ) {
      const { status } = await deliver(signedByFal(webhook, body));
      expect(status, body).toBe(400);
    }
    expect(await readJobs(user.id)).toMatchObject([{ status: "running" }]);
  });
});

test("a callback of fal that cannot be verified yet is to be sent again", async () => {
  const other = await startFalFunctions();
  try {
    const user = await createUser({ credits: START });
    const given = await other.submit(user, { prompt: prompt() });
    const message = sayingAsFal(given, "failed");
    const { keys } = other.provider;
    other.provider.keys = undefined;
    expect((await deliver(message)).status).toBe(503);
    other.provider.keys = keys;
    expect((await deliver(message)).status).toBe(200);
  } finally {
    await other.stop();
  }
});
