import { beforeAll, describe, expect, test } from "vitest";
import { readBooks, readJobs, sql } from "./support/database.ts";
import {
  type Answer,
  callFunction,
  generate,
  userHeaders,
} from "./support/http.ts";
import { addModel } from "./support/models.ts";
import { createUser, type TestUser } from "./support/user.ts";

const GENEROUS = { model: "test-generous", n: 50, promptLength: 20_000 };
/** The most that the price book takes. */
const GREATEST = { model: "g".repeat(63), n: 100, promptLength: 32_000 };

/** Four bytes in UTF-8, and twelve where a client escapes what is not ASCII. */
const ASTRAL = "🗼";

let user: TestUser;
beforeAll(async () => {
  await addLimited(GENEROUS);
  await addLimited(GREATEST);
  user = await createUser({ credits: 1_000 });
});

async function addLimited(
  { model, n, promptLength }: typeof GENEROUS,
): Promise<void> {
  await addModel(sql, model, { image: 1 }, {
    max_n: n,
    max_prompt_length: promptLength,
  });
}

function quote(body: string): Promise<Answer> {
  return callFunction("credits/quote", {
    method: "POST",
    headers: userHeaders(user),
    body,
  });
}

function escaped(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16)}`,
  );
}

describe("what a model allows", () => {
  test("can all be asked for", async () => {
    const { model, n, promptLength } = GENEROUS;
    const { balance } = await readBooks(user.id);
    const prompt = ASTRAL.repeat(promptLength);
    const answer = await generate(user, { model, n, prompt });
    expect(answer.status, answer.text.slice(0, 500)).toBe(200);
    expect(answer.body.outputs).toHaveLength(n);
    expect((await readBooks(user.id)).balance).toBe(balance - n);
  });

  test.each([
    ["images", "n", { n: 51 }, "from 1 to 50"],
    ["characters", "prompt", { prompt: "x".repeat(20_001) }, "1 to 20000"],
  ])("is all: more %s are 400", async (_, field, input, says) => {
    const { model } = GENEROUS;
    const jobs = await readJobs(user.id);
    const answer = await generate(user, { model, ...input });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({
      code: "invalid_request",
      errors: [{ field, message: expect.stringContaining(says) }],
    });
    expect(await readJobs(user.id)).toEqual(jobs);
  });

  test.each([["as it is", JSON.stringify], ["escaped", escaped]])(
    "may be the most that the price book takes, written %s",
    async (_, write) => {
      const { model, n, promptLength } = GREATEST;
      const prompt = ASTRAL.repeat(promptLength);
      const answer = await quote(write({ model, n, prompt }));
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body).toEqual({ model, cost: n });
    },
  );

  test.each([
    ["model", { model: "g".repeat(64) }],
    ["n", { n: 101 }],
    ["promptLength", { promptLength: 32_001 }],
  ])("is no greater %s than that", async (_, beyond) => {
    const greater = addLimited({ ...GREATEST, model: "greater", ...beyond });
    await expect(greater).rejects.toMatchObject({ code: "23514" });
  });

  test.each([
    ["model", { model: "g".repeat(64) }],
    ["n", { n: 101 }],
    ["prompt", { prompt: "x".repeat(32_001) }],
  ])(
    "a %s that no model can have is 400",
    async (field, input) => {
      const answer = await quote(
        JSON.stringify({ model: GREATEST.model, prompt: "a pier", ...input }),
      );
      expect(answer.status, answer.text).toBe(400);
      expect(answer.body).toMatchObject({
        code: "invalid_request",
        errors: [{ field }],
      });
    },
  );
});
