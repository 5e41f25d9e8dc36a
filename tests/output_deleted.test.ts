import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, SMALL_IMAGE, userHeaders } from "./support/http.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
});

function generate(response_format: string, key: string) {
  return callFunction("generate", {
    method: "POST",
    headers: { ...userHeaders(user), "idempotency-key": key },
    body: JSON.stringify({ ...SMALL_IMAGE, response_format }),
  });
}

describe("an output that was deleted, whose file Storage still has", () => {
  test("is not given in base64 to who repeats the request", async () => {
    const key = randomUUID();
    const made = await generate("base64", key);
    expect(made.status, made.text).toBe(200);
    const { job_id, cost, outputs: [{ path, media_type, bytes }] } = made.body;
    await sql`select public.delete_output(${job_id}, ${user.id})`;
    const repeated = await generate("base64", key);
    expect(repeated.status, repeated.text).toBe(200);
    expect(repeated.headers.get("idempotency-replayed")).toBe("true");
    expect(repeated.body).toMatchObject({ job_id, cost });
    expect(repeated.body.outputs)
      .toEqual([{ path, media_type, bytes, width: 64, height: 64 }]);
  });

  test.each([
    ["images/generations", { prompt: "a lighthouse", size: "64x64" }],
    [
      "images/generations",
      { prompt: "a lighthouse", size: "64x64", response_format: "url" },
    ],
  ])(
    "is 404 for an OpenAI client who repeats the request: %s",
    async (path, body) => {
      const key = randomUUID();
      const ask = () =>
        callFunction(`openai/v1/${path}`, {
          method: "POST",
          headers: { ...userHeaders(user), "idempotency-key": key },
          body: JSON.stringify(body),
        });
      const made = await ask();
      expect(made.status, made.text).toBe(200);
      const job_id = made.headers.get("x-credits-job-id");
      await sql`select public.delete_output(${job_id}, ${user.id})`;
      const repeated = await ask();
      expect(repeated.status, repeated.text).toBe(404);
      expect(repeated.body.error).toMatchObject({
        code: "not_found",
        message: expect.stringContaining("deleted since"),
        metadata: { job_id },
      });
    },
  );
});
