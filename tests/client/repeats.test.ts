import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "../support/callback_functions.ts";
import { deliver } from "../support/callback_server.ts";
import {
  creditsOf,
  failureOf,
  problemAnswer,
} from "../support/credits_client.ts";
import { readBooks } from "../support/database.ts";
import {
  type Fault,
  type FaultyProxy,
  startFaultyProxy,
} from "../support/faulty_proxy.ts";
import { SMALL_IMAGE } from "../support/http.ts";
import { CALLBACK_MODEL } from "../support/models.ts";
import { stack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";

const CREDITS = 10_000;
const PRICE = 500;

describe("a generation whose request goes wrong on its way", () => {
  let proxy: FaultyProxy;
  beforeAll(async () => {
    proxy = await startFaultyProxy(stack.url);
  });
  afterAll(() => proxy?.stop());

  /** Generates while the first requests have these faults. */
  async function generateThrough(faults: Fault[]) {
    const user = await createUser({ credits: CREDITS });
    const credits = await creditsOf(user, { url: proxy.url });
    const stop = proxy.judge((_, path) =>
      path.endsWith("/generate") ? faults.shift() : undefined
    );
    const made = await credits.generate(SMALL_IMAGE);
    return { made, faults: stop(), books: await readBooks(user.id) };
  }

  test.each<[string, Fault]>([
    ["never arrives", "reset"],
    ["loses its answer, and is charged already", "lost"],
    ["meets a gateway that is down", { status: 502, body: {} }],
    ["meets a service that is down", { status: 503, body: {} }],
  ])("%s: it is repeated, and charged once", async (_, fault) => {
    const { made, faults, books } = await generateThrough([fault, fault]);
    expect(faults).toBe(2);
    expect(made).toMatchObject({ status: "succeeded", cost: PRICE });
    expect(books.balance).toBe(CREDITS - PRICE);
  });
});

test("an answer that never comes is waited for until the time limit", async () => {
  const proxy = await startFaultyProxy(stack.url);
  try {
    const user = await createUser({ credits: CREDITS });
    const credits = await creditsOf(user, { url: proxy.url });
    proxy.judge((_, path) =>
      path.endsWith("/generate") ? new Promise(() => {}) : undefined
    );
    expect(await failureOf(credits.generate(SMALL_IMAGE, { timeoutMs: 500 })))
      .toMatchObject({ code: "network_error", isRetryable: true });
  } finally {
    await proxy.stop();
  }
});

/** Credits of a user whose requests to generate are answered in turn, then by the stack; and their keys. */
async function scripted(answers: (Response | Error)[]) {
  const keys: (string | null)[] = [];
  const times: number[] = [];
  const credits = await creditsOf(await createUser({ credits: CREDITS }), {
    answering: ({ url, headers }) => {
      if (!url.endsWith("/generate")) return undefined;
      keys.push(headers.get("idempotency-key"));
      times.push(performance.now());
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { credits, keys, times };
}

describe("a generation that is answered", () => {
  test.each([
    ["408", () => problemAnswer(408, "request_timeout")],
    ["503", () => problemAnswer(503, "service_unavailable")],
    ["409 request_in_flight", () => problemAnswer(409, "request_in_flight")],
  ])("%s is repeated with the same key", async (_, answer) => {
    const { credits, keys } = await scripted([answer()]);
    expect(await credits.generate(SMALL_IMAGE))
      .toMatchObject({ status: "succeeded" });
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each([
    [402, "insufficient_credits", false],
    [409, "price_changed", false],
    [429, "rate_limited", true],
    [501, "payments_not_set_up", false],
    [502, "provider_failed", false],
    [504, "provider_timeout", false],
  ])("%i %s is not repeated", async (status, code, isRetryable) => {
    const { credits, keys } = await scripted([problemAnswer(status, code)]);
    expect(await failureOf(credits.generate(SMALL_IMAGE)))
      .toMatchObject({ status, code, isRetryable });
    expect(keys).toHaveLength(1);
  });

  test("waits as long as Retry-After says", async () => {
    const busy = () =>
      problemAnswer(503, "service_unavailable", { "retry-after": "2" });
    const { credits, times } = await scripted([busy()]);
    await credits.generate(SMALL_IMAGE);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1_990);
  });

  test("503 for ever is given up after four repeats, and says so", async () => {
    const { credits, keys } = await scripted(
      Array.from({ length: 9 }, () => new TypeError("fetch failed")),
    );
    expect(await failureOf(credits.generate(SMALL_IMAGE))).toMatchObject({
      code: "network_error",
      status: 0,
      isRetryable: true,
    });
    expect(keys).toHaveLength(5);
  });

  test("409 request_in_flight for ever is given up at the time limit", async () => {
    const { credits } = await scripted(
      Array.from({ length: 9 }, () => problemAnswer(409, "request_in_flight")),
    );
    expect(await failureOf(credits.generate(SMALL_IMAGE, { timeoutMs: 100 })))
      .toMatchObject({ code: "request_in_flight", isRetryable: true });
  });

  test("nothing is repeated once its signal has aborted", async () => {
    const { credits, keys } = await scripted([
      problemAnswer(503, "service_unavailable", { "retry-after": "30" }),
    ]);
    const controller = new AbortController();
    const { signal } = controller;
    const made = credits.generate(SMALL_IMAGE, { signal });
    const reason = new Error("the user left");
    setTimeout(() => controller.abort(reason), 50);
    await expect(made).rejects.toBe(reason);
    expect(keys).toHaveLength(1);
  });
});

describe("a generation whose provider calls back", () => {
  let functions: CallbackFunctions;
  beforeAll(async () => {
    functions = await startCallbackFunctions();
  });
  afterAll(() => functions?.stop());

  /** Generates through the functions whose provider a test tells what to do. */
  async function submit(options: { timeoutMs?: number } = {}) {
    const user = await createUser({ credits: CREDITS });
    const credits = await creditsOf(user, {
      answering: async (request) => {
        const path = request.url.split("/functions/v1/")[1]!;
        return await fetch(new Request(functions.url(path), request));
      },
    });
    const prompt = `waves ${randomUUID()}`;
    let running: { job_id: string } | undefined;
    const made = credits.generate(
      { ...CALLBACK_MODEL, prompt } as { prompt: string },
      { ...options, onRunning: (job) => running = job },
    );
    // What it throws is looked at later.
    made.catch(() => {});
    await expect.poll(() => running, { timeout: 10_000 }).toBeDefined();
    const [job] = functions.provider.predictions(prompt);
    const say = async (status: string, output?: unknown) =>
      expect(
        (await deliver(functions.voice.saying(job!, status, output))).status,
      )
        .toBe(200);
    return { user, credits, made, jobId: running!.job_id, say };
  }

  test("is waited for, and answers as any other", async () => {
    const { user, made, jobId, say } = await submit();
    await say("succeeded", [functions.provider.picture("pixel")]);
    expect(await made).toMatchObject({
      job_id: jobId,
      status: "succeeded",
      outputs: [{ media_type: "image/png", url: expect.any(String) }],
    });
    const { cost, balance } = await made;
    expect(balance).toBe(CREDITS - cost);
    expect((await readBooks(user.id)).balance).toBe(balance);
  });

  test("throws what became of it: failed, and refunded", async () => {
    const { user, made, jobId, say } = await submit();
    await say("failed");
    expect(await failureOf(made)).toMatchObject({
      code: "provider_failed",
      status: 502,
      details: { job_id: jobId, balance: CREDITS },
    });
    expect((await readBooks(user.id)).balance).toBe(CREDITS);
  });

  test("can be canceled, which the one who waits hears", async () => {
    const { user, credits, made, jobId } = await submit();
    expect(await credits.cancel(jobId)).toMatchObject({
      id: jobId,
      status: "canceled",
      balance: CREDITS,
    });
    expect(await failureOf(made)).toMatchObject({ code: "job_canceled" });
    expect((await readBooks(user.id)).balance).toBe(CREDITS);
  });

  test("is waited for no longer than the time limit, and goes on", async () => {
    const { credits, made, jobId, say } = await submit({ timeoutMs: 2_000 });
    expect(await failureOf(made)).toMatchObject({
      code: "wait_timeout",
      details: { job_id: jobId },
    });
    await say("succeeded", [functions.provider.picture("pixel")]);
    expect(await credits.job(jobId)).toMatchObject({ status: "succeeded" });
  });
});
