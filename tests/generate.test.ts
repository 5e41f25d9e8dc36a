import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { decode } from "fast-png";
import { describe, expect, test } from "vitest";
import { readBooks, readJobDeltas, readJobs, sql } from "./support/database.ts";
import { type Answer, generate } from "./support/http.ts";
import { addModel } from "./support/models.ts";
import { readPictures } from "./support/pictures.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { times } from "./support/times.ts";
import { createUser } from "./support/user.ts";

const REQUEST_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function countStatus(answers: readonly Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length;
}

describe("a generation", () => {
  test("answers with a real picture of the asked size and charges 500", async () => {
    const user = await createUser({ credits: 5_000 });
    const answer = await generate(user, {
      width: 96,
      height: 64,
      response_format: "base64",
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get("x-request-id")).toMatch(REQUEST_ID);

    const found = answer.text.match(/iVBORw0KGgo[A-Za-z0-9+/=]+/);
    const picture = Buffer.from(found?.[0] ?? "", "base64");
    const { width, height, data } = decode(picture, { checkCrc: true });
    expect([width, height]).toEqual([96, 64]);
    expect(new Set(data).size).toBeGreaterThan(10);

    expect(await readBooks(user.id)).toEqual({
      balance: 4_500,
      ledgerSum: 4_500,
      remaining: 4_500,
    });
    expect(await readJobs(user.id)).toMatchObject([
      { status: "succeeded", cost: 500, refunded: 0, error: null },
    ]);
  });

  test("costs its price for each of n images", async () => {
    const user = await createUser({ credits: 5_000 });
    const answer = await generate(user, { n: 3 });
    expect(answer.status, answer.text).toBe(200);
    expect(await readJobDeltas(user.id)).toEqual([-1_500]);
  });

  test("is the same picture for the same prompt and seed", async () => {
    const user = await createUser();
    const [first, second, other] = [
      await generate(user, { seed: 7 }).then(readPictures),
      await generate(user, { seed: 7 }).then(readPictures),
      await generate(user, { seed: 8 }).then(readPictures),
    ];
    expect(second).toEqual(first);
    expect(other).not.toEqual(first);
  });
});

describe("the rate limit", () => {
  test("lets 10 requests in a row pass, then says when to return", async () => {
    const user = await createUser({ credits: 50_000 });
    const startedAt = Date.now();
    const answers: Answer[] = [];
    do answers.push(await generate(user)); while (
      answers.at(-1)!.status === 200 && answers.length < 60
    );
    // A slot comes back each 6 s (10 requests in 60 s), counted from the first.
    const elapsedSeconds = (Date.now() - startedAt) / 1000;
    const passed = countStatus(answers, 200);
    expect(passed).toBeGreaterThanOrEqual(10);
    expect(passed).toBeLessThanOrEqual(10 + Math.floor(elapsedSeconds / 6));
    expect(countStatus(answers.slice(0, 10), 200)).toBe(10);

    const last = answers.at(-1)!;
    expect(last.body).toMatchObject({ status: 429, code: "rate_limited" });
    expect(last.headers.get("content-type")).toMatch(
      /^application\/problem\+json/,
    );
    const retryAfter = Number(last.headers.get("retry-after"));
    expect(retryAfter).toBeGreaterThanOrEqual(Math.floor(6 - elapsedSeconds));
    expect(retryAfter).toBeLessThanOrEqual(6);
    expect(last.headers.get("ratelimit")).toMatch(/;r=0;t=\d+/);
    expect(last.headers.get("ratelimit-policy")).toMatch(/;q=10;w=60/);
    expect((await readBooks(user.id)).balance).toBe(50_000 - 500 * passed);
  });

  test("is over when Retry-After has passed, and not seconds before", async () => {
    const user = await createUser();
    await Promise.all(times(10, () => generate(user)));
    const denied = await generate(user);
    expect(denied.status).toBe(429);
    const retryAfter = Number(denied.headers.get("retry-after"));
    expect(retryAfter).toBeGreaterThan(0);
    // Another request is let pass up to a second before, for the header is rounded up; one that is denied changes nothing.
    await delay(Math.max(retryAfter - 3, 0) * 1000);
    expect((await generate(user)).status).toBe(429);
    await delay(Math.min(retryAfter, 3) * 1000);
    expect((await generate(user)).status).toBe(200);
  });

  test("keeps each denial as an event", async () => {
    const user = await createUser();
    await Promise.all(times(12, () => generate(user)));
    const events = await sql`
      select code from public.credit_request_events
      where account_id = ${user.id} and status = 429
    `;
    expect(events.map(({ code }) => code)).toEqual([
      "rate_limited",
      "rate_limited",
    ]);
  });
});

describe("a request that cannot be served", () => {
  test.each([
    ["5000 x 5000 pixels", { width: 5_000, height: 5_000 }, "width"],
    ["an empty prompt", { prompt: "" }, "prompt"],
    ["a prompt of 4001 characters", { prompt: "x".repeat(4_001) }, "prompt"],
    ["a fractional width", { width: 64.5 }, "width"],
    ["more images than the model makes", { n: 5 }, "n"],
    ["a field that does not exist", { colour: "red" }, "colour"],
  ])("is 400 for %s, naming the field", async (_, input, field) => {
    const user = await createUser({ credits: 5_000 });
    const answer = await generate(user, input);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.code).toBe("invalid_request");
    expect(JSON.stringify(answer.body.errors)).toContain(field);
    expect((await readBooks(user.id)).balance).toBe(5_000);
    expect(await readJobs(user.id)).toEqual([]);
  });

  test("is 400 for an unknown model", async () => {
    const user = await createUser({ credits: 5_000 });
    const answer = await generate(user, { model: "no-such-model" });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.code).toBe("invalid_model");
    expect((await readBooks(user.id)).balance).toBe(5_000);
  });

  test("is 402 while credits of a payment that was taken back are owed", async () => {
    const user = await createUser({ credits: 500 });
    await generate(user);
    await sql`select public.reverse_grant(account_id, id)
      from public.credit_grants where account_id = ${user.id}`;
    const answer = await generate(user);
    expect(answer.status, answer.text).toBe(402);
    expect(answer.body).toMatchObject({
      code: "insufficient_credits",
      balance: 0,
      debt: 500,
    });
    expect(answer.body.detail).toContain("The account owes 500 credits");
  });

  test("is 402 when 100 credits meet a cost of 500, and 100 remain", async () => {
    const user = await createUser({ credits: 100 });
    const answer = await generate(user);
    expect(answer.status, answer.text).toBe(402);
    expect(answer.body).toMatchObject({
      code: "insufficient_credits",
      balance: 100,
      required: 500,
    });
    expect(await readBooks(user.id)).toEqual({
      balance: 100,
      ledgerSum: 100,
      remaining: 100,
    });
  });
});

describe("a charge that cannot be carried out", () => {
  test.each(["second", "output_token"])(
    "by a model that is priced by %s, is refused",
    async (meter) => {
      const model = `test-${meter.replace("_", "-")}`;
      await addModel(sql, model, { [meter]: 1 });
      const user = await createUser({ credits: 1_000 });
      const unsized = { width: undefined, height: undefined };
      const answer = await generate(user, { model, ...unsized });
      expect(answer.status, answer.text).toBe(400);
      expect((await readBooks(user.id)).balance).toBe(1_000);
      expect(await readJobs(user.id)).toEqual([]);
    },
  );

  test("because the job makes no sense is refunded at once", async () => {
    const user = await createUser({ credits: 1_000 });
    const model = "test-without-name";
    await sql`alter table public.generation_models alter provider_model drop not null`;
    await addModel(sql, model, { image: 500 });
    await sql`update public.generation_models set provider_model = null where name = ${model}`;
    const answer = await generate(user, { model }).finally(async () => {
      await sql`update public.generation_models set provider_model = 'none' where name = ${model}`;
      await sql`alter table public.generation_models alter provider_model set not null`;
    });
    expect(answer.status, answer.text).toBe(500);
    expect(answer.body).toMatchObject({
      code: "internal_error",
      detail: expect.stringContaining("500 credits were refunded"),
      refunded: 500,
      balance: 1_000,
    });
    expect(await readJobs(user.id)).toMatchObject([{
      id: answer.body.job_id,
      status: "failed",
      refunded: 500,
      error: { code: "internal_error" },
    }]);
    expect(await readJobDeltas(user.id)).toEqual([-500, 500]);
  });
});

describe("concurrency", () => {
  test("50 requests at once on credits for 7 let exactly 7 pass", async () => {
    const user = await createUser({ credits: 3_500, plan: UNHURRIED_PLAN });
    const answers = await Promise.all(times(50, () => generate(user)));
    expect(countStatus(answers, 200)).toBe(7);
    expect(countStatus(answers, 402)).toBe(43);
    expect(await readBooks(user.id)).toEqual({
      balance: 0,
      ledgerSum: 0,
      remaining: 0,
    });
  });

  test("one Idempotency-Key sent 20 times at once is charged once", async () => {
    const user = await createUser({ credits: 5_000, plan: UNHURRIED_PLAN });
    const key = { "idempotency-key": randomUUID() };
    const answers = await Promise.all(
      times(20, () => generate(user, {}, key)),
    );
    expect(countStatus(answers, 200) + countStatus(answers, 409)).toBe(20);
    expect(countStatus(answers, 200)).toBeGreaterThanOrEqual(1);
    expect(await readJobDeltas(user.id)).toEqual([-500]);

    const replay = await generate(user, {}, key);
    expect(replay.status, replay.text).toBe(200);
    const pictures = await Promise.all(
      [replay, ...answers.filter(({ status }) => status === 200)]
        .map(readPictures),
    );
    expect(new Set(pictures.flat()).size).toBe(1);
    expect(await readJobDeltas(user.id)).toEqual([-500]);
  });

  test("one Idempotency-Key with another body is 422", async () => {
    const user = await createUser({ credits: 5_000 });
    const key = { "idempotency-key": randomUUID() };
    expect((await generate(user, {}, key)).status).toBe(200);
    const answer = await generate(user, { prompt: "another one" }, key);
    expect(answer.status, answer.text).toBe(422);
    expect(answer.body.code).toBe("idempotency_key_reused");
    expect(await readJobDeltas(user.id)).toEqual([-500]);
  });

  test("two users may use the same Idempotency-Key", async () => {
    const key = { "idempotency-key": randomUUID() };
    const users = [await createUser(), await createUser()];
    for (const user of users) {
      expect((await generate(user, {}, key)).status).toBe(200);
      expect(await readJobDeltas(user.id)).toEqual([-500]);
    }
  });
});
