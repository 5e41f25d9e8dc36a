import { describe, expect, test } from "vitest";
import { readBooks, readJobDeltas, readJobs } from "./support/database.ts";
import { functionUrl, generate, userHeaders } from "./support/http.ts";
import { LOOPBACK_MODEL, UNCONFIGURED_MODEL } from "./support/models.ts";
import { OPENAI_API_KEY, PIXEL, PROMPTS } from "./support/openai_server.ts";
import { readPictures } from "./support/pictures.ts";
import { createUser } from "./support/user.ts";

const START = 1_000;
const UNCHANGED = { balance: START, ledgerSum: START, remaining: START };

const FAILURES = [
  { name: "an invalid key", prompt: PROMPTS.invalidKey, status: 502 },
  { name: "an exhausted quota", prompt: PROMPTS.exhaustedQuota, status: 502 },
  { name: "a refused content", prompt: PROMPTS.contentPolicy, status: 502 },
  { name: "an answer of 500", prompt: PROMPTS.serverError, status: 502 },
  { name: "a broken body", prompt: PROMPTS.brokenBody, status: 502 },
  { name: "an answer without image", prompt: PROMPTS.noImage, status: 502 },
  {
    name: "a connection reset",
    prompt: PROMPTS.connectionReset,
    status: 502,
  },
  {
    name: "silence until the time limit",
    prompt: PROMPTS.silence,
    status: 504,
  },
];

describe("a provider's failure", () => {
  test.each(FAILURES)(
    "$name is refunded, recorded and shows no secret",
    async ({ prompt, status }) => {
      const user = await createUser({ credits: START });
      const key = { "idempotency-key": prompt };
      const input = { ...LOOPBACK_MODEL, prompt };
      const answer = await generate(user, input, key);
      expect(answer.status, answer.text).toBe(status);
      expect(answer.headers.get("content-type")).toMatch(
        /^application\/problem\+json/,
      );
      expect(answer.body.code).toBe(
        status === 504 ? "provider_timeout" : "provider_failed",
      );
      expect(answer.body.detail).toMatch(/not charged|refunded/i);
      // The key is spent: who repeats it would wait for ever.
      const repeated = await generate(user, input, key);
      for (const { body } of [answer, repeated]) {
        expect(body.detail).toContain("a new Idempotency-Key");
      }
      expect(answer.text).not.toContain(OPENAI_API_KEY);
      await expectRefunded(user.id);
    },
  );

  test("a provider that is not configured is refunded", async () => {
    const user = await createUser({ credits: START });
    const answer = await generate(user, UNCONFIGURED_MODEL);
    expect(answer.status, answer.text).toBe(502);
    expect(answer.body.code).toBe("provider_failed");
    await expectRefunded(user.id);
  });

  test("with an Idempotency-Key is replayed as a failure, without a charge", async () => {
    const user = await createUser({ credits: START });
    const key = { "idempotency-key": "broken" };
    const input = { ...LOOPBACK_MODEL, prompt: PROMPTS.serverError };
    const first = await generate(user, input, key);
    const second = await generate(user, input, key);
    expect(second.status, second.text).toBe(first.status);
    expect(second.body.code).toBe(first.body.code);
    await expectRefunded(user.id);
  });
});

async function expectRefunded(accountId: string): Promise<void> {
  const jobs = await readJobs(accountId);
  expect(jobs).toMatchObject([{ status: "failed", cost: 500, refunded: 500 }]);
  expect(jobs[0]?.error?.code).toBeTruthy();
  expect(JSON.stringify(jobs)).not.toContain(OPENAI_API_KEY);
  expect(await readJobDeltas(accountId)).toEqual([-500, 500]);
  expect(await readBooks(accountId)).toEqual(UNCHANGED);
}

describe("a provider's success", () => {
  test("passes the provider's picture on and keeps the charge", async () => {
    const user = await createUser({ credits: START });
    const answer = await generate(user, LOOPBACK_MODEL);
    expect(answer.status, answer.text).toBe(200);
    expect(await readPictures(answer)).toEqual([PIXEL]);
    expect(answer.text).not.toContain(OPENAI_API_KEY);
    expect(await readJobDeltas(user.id)).toEqual([-500]);
  });

  test("ends settled when the client hangs up", async () => {
    const user = await createUser({ credits: START });
    const aborter = new AbortController();
    const pending = fetch(functionUrl("generate"), {
      method: "POST",
      headers: userHeaders(user),
      body: JSON.stringify({ ...LOOPBACK_MODEL, prompt: PROMPTS.slow }),
      signal: aborter.signal,
    });
    const hungUp = expect(pending).rejects.toThrow();
    await expect.poll(() => readJobs(user.id), { timeout: 10_000 })
      .toMatchObject([{ status: "running" }]);
    aborter.abort();
    await hungUp;
    await expect.poll(
      async () => (await readJobs(user.id)).map(({ status }) => status),
      { timeout: 10_000, interval: 200 },
    ).toEqual(["succeeded"]);
    expect(await readJobDeltas(user.id)).toEqual([-500]);
  });
});
