import { randomUUID } from "node:crypto";
import type { JSONValue } from "postgres";
import { beforeAll, describe, expect, test } from "vitest";
import { readJobs, sql } from "./support/database.ts";
import {
  callFunction,
  generate,
  SMALL_IMAGE,
  userHeaders,
} from "./support/http.ts";
import { UNCONFIGURED_MODEL } from "./support/models.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { createUser, type TestUser } from "./support/user.ts";

/** What a job's error may be: SQL takes any JSON, and took it as it was before it brought it into form; and what a replay answers. */
const ERRORS: [error: JSONValue, status: number][] = [
  [{ code: "provider_failed", message: null }, 502],
  [{ code: "x", message: 5, reason: null }, 502],
  [{ code: 5 }, 502],
  [{ code: "internal_error" }, 500],
  [{ reason: "quota" }, 502],
  ["text", 502],
  [[], 502],
  [7, 502],
];

/** What a job may have been settled with through SQL, and the outputs that are answered then. */
const OUTPUTS: [kept: unknown, answered: unknown][] = [
  [{ outputs: ["https://example.com/a.png"] }, ["https://example.com/a.png"]],
  [{ outputs: [{ url: "https://example.com/a.png" }] }, [
    { url: "https://example.com/a.png" },
  ]],
  [["https://example.com/a.png"], ["https://example.com/a.png"]],
  [{ text: "a lighthouse" }, [{ text: "a lighthouse" }]],
  ["https://example.com/a.png", ["https://example.com/a.png"]],
];

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
});

function call(path: string, method = "GET") {
  return callFunction(path, { method, headers: userHeaders(user) });
}

describe("a failed job whose error has an odd form", () => {
  test.each(ERRORS)(
    "is listed, shown, refused to be canceled and replayed: %j",
    async (error, status) => {
      const key = { "idempotency-key": randomUUID() };
      const failed = await generate(user, UNCONFIGURED_MODEL, key);
      const { job_id } = failed.body;
      await sql`
        update public.generation_jobs set error = ${sql.json(error)}
        where id = ${job_id}`;

      const listed = await call("jobs?limit=1");
      expect(listed.status, listed.text).toBe(200);
      const shown = await call(`jobs/${job_id}`);
      expect(shown.status, shown.text).toBe(200);
      for (const job of [listed.body.data[0], shown.body]) {
        expect(job).toMatchObject({ id: job_id, charged: 0 });
        expect(job.error.code).toEqual(expect.any(String));
      }
      const canceled = await call(`jobs/${job_id}`, "DELETE");
      expect(canceled.status, canceled.text).toBe(409);
      const replayed = await generate(user, UNCONFIGURED_MODEL, key);
      expect(replayed.status, replayed.text).toBe(status);
      expect(replayed.body.detail).toMatch(
        /^(?!undefined).*500 credits were refunded/,
      );
    },
  );

  test("keeps what can be read of it", async () => {
    const failed = await generate(user, UNCONFIGURED_MODEL);
    await sql`
      update public.generation_jobs
      set error = ${
      sql.json({ code: 5, message: "It broke.", reason: "quota" })
    }
      where id = ${failed.body.job_id}`;
    const shown = await call(`jobs/${failed.body.job_id}`);
    expect(shown.body.error).toEqual({
      code: "provider_failed",
      message: "It broke.",
      reason: "quota",
    });
  });
});

describe("a job that was charged and settled through SQL", () => {
  test.each(OUTPUTS)(
    "with the output %j is replayed over HTTP under its key",
    async (output, outputs) => {
      const key = randomUUID();
      const { model, ...small } = SMALL_IMAGE;
      // As the function sends it, with its defaults.
      const input = {
        ...small,
        type: "image",
        n: 1,
        response_format: "url",
      };
      await sql`
        select public.settle_generation((public.atomic_charge_credits(
          ${user.id}, ${model}, ${sql.json(input)}, ${key})).job_id,
          ${sql.json(output as string)})`;
      const before = (await readJobs(user.id)).length;
      const replayed = await generate(user, {}, { "idempotency-key": key });
      expect(replayed.status, replayed.text).toBe(200);
      expect(replayed.headers.get("idempotency-replayed")).toBe("true");
      expect(replayed.body).toMatchObject({ status: "succeeded", outputs });
      expect(await readJobs(user.id)).toHaveLength(before);
    },
  );
});
