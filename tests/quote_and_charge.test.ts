import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { addModel } from "./support/models.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { createUser, type TestUser } from "./support/user.ts";

const SHORT_PROMPTS = "test-short-prompts";
const FREE = "test-free";
const RUNS = 40;

let user: TestUser;
beforeAll(async () => {
  await addModel(sql, SHORT_PROMPTS, { image: 7 }, { max_prompt_length: 20 });
  await addModel(sql, FREE, { image: 0 });
  user = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
});

function quote(body: Record<string, unknown>) {
  return callFunction("credits/quote", {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify(body),
  });
}

const request = fc.record({
  model: fc.constantFrom("standard-image", SHORT_PROMPTS, FREE, "none", ""),
  prompt: fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 25 }),
    fc.constantFrom("x".repeat(20), "x".repeat(21), "🦊".repeat(20), " "),
  ),
  width: fc.oneof(fc.constant(64), fc.constantFrom(63, 2_049, 1.5)),
  height: fc.constantFrom(64, 65),
  n: fc.oneof(fc.constantFrom(1, 2), fc.constantFrom(0, 5, 101)),
  max_cost: fc.constantFrom(0, 7, 500, 1_000_000, -1, 0.5),
  unknown: fc.constant(1),
}, { requiredKeys: ["model", "prompt", "width", "height"] });

describe("a quote", () => {
  test("is what the same body is charged, or refused for", async () => {
    await fc.assert(
      fc.asyncProperty(request, async (body) => {
        const quoted = await quote(body);
        const answer = await generate(user, body);
        expect(answer.status, answer.text).toBe(quoted.status);
        expect(answer.body.cost).toBe(quoted.body.cost);
        expect(answer.body.code).toBe(quoted.body.code);
        expect(answer.body.errors).toEqual(quoted.body.errors);
        expect(answer.body.required).toBe(quoted.body.required);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test.each([SHORT_PROMPTS, "standard-image"])(
    "needs no prompt, however short those of %s must be",
    async (model) => {
      const quoted = await quote({ model, account_id: user.id });
      expect(quoted.status, quoted.text).toBe(200);
    },
  );
});

test("a price above max_cost is 409 with what it costs now, and charges nothing", async () => {
  const buyer = await createUser({ credits: 5_000 });
  const key = { "idempotency-key": "agreed" };
  const answer = await generate(buyer, { n: 2, max_cost: 500 }, key);
  expect(answer.status, answer.text).toBe(409);
  expect(answer.body).toMatchObject({
    code: "price_changed",
    required: 1_000,
    balance: 5_000,
  });
  const agreed = await generate(buyer, { n: 2, max_cost: 1_000 }, key);
  expect(agreed.status, agreed.text).toBe(200);
  expect(agreed.body).toMatchObject({ cost: 1_000, balance: 4_000 });
});

test("a free model makes pictures for who has no credits", async () => {
  const poor = await createUser({ credits: 0 });
  const answer = await generate(poor, { model: FREE });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body).toMatchObject({ cost: 0, balance: 0 });
  const failed = await generate(poor, { model: FREE, prompt: " " });
  expect(failed.status, failed.text).toBe(400);
});
