import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./support/callback_functions.ts";
import { readBooks, readJobDeltas, readJobs, sql } from "./support/database.ts";
import { userHeaders } from "./support/http.ts";
import { OPEN_SUBMISSIONS, SUBMISSIONS } from "./support/callback_server.ts";
import { CALLBACK_MODEL } from "./support/models.ts";
import { PIXEL } from "./support/openai_server.ts";
import { readPictures } from "./support/pictures.ts";
import {
  deliver,
  REPLICATE_API_TOKEN,
  saying,
  signed,
} from "./support/replicate_server.ts";
import { createUser, type TestUser } from "./support/user.ts";

const START = 1_000;
const PRICE = 500;
const UNCHANGED = { balance: START, ledgerSum: START, remaining: START };

let functions: CallbackFunctions;

beforeAll(async () => {
  functions = await startCallbackFunctions();
});
afterAll(() => functions?.stop());

/** A prompt that is nobody else's. */
const prompt = () => `a lighthouse ${randomUUID()}`;

const pixel = () => functions.provider.picture("pixel");

async function readJob(user: TestUser, id: unknown) {
  const response = await fetch(functions.url(`jobs/${id}`), {
    headers: userHeaders(user),
  });
  return await response.json();
}

describe("a generation whose provider calls back", () => {
  test("is charged and answered with 202 and where to look", async () => {
    const user = await createUser({ credits: START });
    const words = prompt();
    const denied = await functions.generate(user, { prompt: words, n: 3 });
    expect(denied.status, denied.text).toBe(402);
    const { status, headers, body, text } = await functions.generate(user, {
      prompt: words,
      seed: 7,
    });
    expect(status, text).toBe(202);
    expect(body).toEqual({
      job_id: expect.any(String),
      status: "running",
      model: CALLBACK_MODEL.model,
      cost: PRICE,
      balance: START - PRICE,
      created_at: expect.any(String),
    });
    expect(headers.get("location")).toBe(`/functions/v1/jobs/${body.job_id}`);
    expect(headers.get("retry-after")).toMatch(/^\d+$/);
    expect(headers.get("ratelimit")).toMatch(/r=/);
    const [given, ...more] = functions.provider.predictions(words);
    expect(more).toEqual([]);
    expect(given).toMatchObject({
      version: "acme/painter",
      input: { prompt: words, width: 64, height: 64, num_outputs: 1, seed: 7 },
    });
    expect(given!.headers).toMatchObject({ "cancel-after": "5s" });
    const [job] = await sql`
      select status, provider_job_id from public.generation_jobs where id = ${
      String(body.job_id)
    }`;
    expect(job).toEqual({ status: "running", provider_job_id: given!.id });
  });

  test("ends with the provider's picture, kept as it was asked for", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const started = await deliver(saying(given, "processing"));
    expect([started.status, JSON.parse(started.text).code])
      .toEqual([200, "running"]);
    const ended = await deliver(saying(given, "succeeded", [pixel()]));
    expect([ended.status, ended.text])
      .toEqual([200, JSON.stringify({ job_id: given.jobId, code: "settled" })]);
    const job = await readJob(user, given.jobId);
    expect(job).toMatchObject({
      status: "succeeded",
      cost: PRICE,
      charged: PRICE,
      output: null,
      outputs: [{
        path: `${user.id}/${given.jobId}/0.png`,
        media_type: "image/png",
        width: 1,
        height: 1,
      }],
    });
    expect(await readPictures({ text: "", body: job })).toEqual([PIXEL]);
    expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
  });

  test("is told its end when the request is repeated, and where to look before", async () => {
    const user = await createUser({ credits: START });
    const key = { "idempotency-key": randomUUID() };
    const words = prompt();
    const first = await functions.generate(user, { prompt: words }, key);
    expect(first.status).toBe(202);
    const early = await functions.generate(user, { prompt: words }, key);
    expect([early.status, early.headers.get("location")])
      .toEqual([409, first.headers.get("location")]);
    expect(early.headers.get("retry-after")).toBe("1");
    const [given] = functions.provider.predictions(words);
    await deliver(saying(given!, "succeeded", pixel()));
    const late = await functions.generate(user, { prompt: words }, key);
    expect(late.status, late.text).toBe(200);
    expect(await readPictures(late)).toEqual([PIXEL]);
    expect(functions.provider.predictions(words)).toHaveLength(1);
    expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
  });

  test.each(
    [
      ["failed", "provider_failed", "provider_error"],
      ["canceled", "provider_timeout", "timeout"],
      ["aborted", "provider_timeout", "timeout"],
    ] as const,
  )("is refunded when it is %s there", async (status, code, reason) => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const { text } = await deliver(saying(given, status));
    expect(JSON.parse(text).code).toBe("failed");
    const job = await readJob(user, given.jobId);
    expect(job).toMatchObject({
      status: "failed",
      charged: 0,
      error: { code, reason },
    });
    expect(JSON.stringify(job)).not.toContain(REPLICATE_API_TOKEN);
    expect(await readBooks(user.id)).toEqual(UNCHANGED);
  });

  test.each(
    [
      ["NSFW content was detected", "content_policy"],
      ["CUDA out of memory", "provider_error"],
      [null, "provider_error"],
      [{ toString: "flagged as sensitive" }, "provider_error"],
    ] as const,
  )(
    "is refunded for any report of its failure: %j",
    async (error, reason) => {
      const user = await createUser({ credits: START });
      const { webhook, id, jobId } = await functions.submit(user, {
        prompt: prompt(),
      });
      const body = JSON.stringify({ id, status: "failed", error });
      const { status, text } = await deliver(signed(webhook, body));
      expect(status, text).toBe(200);
      expect(await readJob(user, jobId))
        .toMatchObject({ charged: 0, error: { reason } });
    },
  );

  test.each(Object.entries(SUBMISSIONS))(
    "is refunded when the provider does not take it: %s",
    async (_, words) => {
      const user = await createUser({ credits: START });
      const prompt = `${words} ${randomUUID()}`;
      const { status, text } = await functions.generate(user, { prompt });
      expect(status, text).toBe(502);
      expect(text).not.toContain(REPLICATE_API_TOKEN);
      expect(await readJobs(user.id)).toMatchObject([
        { status: "failed", cost: PRICE, refunded: PRICE, output: null },
      ]);
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
    },
  );

  test.each([OPEN_SUBMISSIONS.reset, OPEN_SUBMISSIONS.silence])(
    "whose submission got no answer is charged when its callback comes: %s",
    async (words) => {
      const user = await createUser({ credits: START });
      const prompt = `${words} ${randomUUID()}`;
      const { status, text } = await functions.generate(user, { prompt });
      expect(status, text).toBe(202);
      const [given] = functions.provider.predictions(prompt);
      await deliver(saying(given!, "succeeded", [pixel()]));
      expect(await readJobs(user.id)).toMatchObject([
        { status: "succeeded", cost: PRICE, refunded: 0 },
      ]);
    },
  );

  test.each(Object.entries(OPEN_SUBMISSIONS))(
    "of which the provider says nothing is refunded at its deadline: %s",
    async (_, words) => {
      const user = await createUser({ credits: START });
      const { status, text, body } = await functions.generate(user, {
        prompt: `${words} ${randomUUID()}`,
      });
      expect(status, text).toBe(202);
      await sql`
        update public.generation_jobs set deadline_at = now() where id = ${body.job_id}`;
      await sql`select public.sweep_overdue_jobs()`;
      expect(await readJobs(user.id)).toMatchObject([
        { status: "expired", cost: PRICE, refunded: PRICE, output: null },
      ]);
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
    },
  );

  test("that fails after its refund is in the log", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    await sql`select public.cancel_generation(${given.jobId}, p_acknowledged => true)`;
    await deliver(saying(given, "failed"));
    expect(functions.logged.join("\n"))
      .toMatch(`"callback_late","job_id":"${given.jobId}"`);
  });

  test("that succeeds or fails where it ended so is not late", async () => {
    const user = await createUser({ credits: START });
    for (const status of ["succeeded", "failed"]) {
      const given = await functions.submit(user, { prompt: prompt() });
      const message = saying(given, status, [pixel()]);
      for (let time = 0; time < 2; time++) await deliver(message);
      await deliver(saying(given, "processing"));
      expect(functions.logged.join("\n"))
        .not.toMatch(`"callback_late","job_id":"${given.jobId}"`);
    }
  });
});
