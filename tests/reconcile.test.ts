import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, userHeaders } from "./support/http.ts";
import { startSharedFunctions } from "./support/shared_functions.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";

const request = (
  body: unknown,
  headers: Record<string, string> = { apikey: stack.secretKey },
): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

const reconcile = (body: unknown, headers?: Record<string, string>) =>
  callFunction("reconcile", request(body, headers));

const NOT_CHECKED = {
  status: 503,
  code: "service_unavailable",
  detail: expect.stringContaining("takes more than a minute"),
};

describe("reconcile, the function", () => {
  test("answers with the run, a deep one where it is asked for", async () => {
    for (const deep of [true, false]) {
      const answer = await reconcile({ deep });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body).toEqual({
        summary: expect.objectContaining({ deep, discrepancies: 0 }),
        discrepancies: [],
      });
    }
  });

  test("is for the secret key alone", async () => {
    const user = await createUser({ credits: 0 });
    for (
      const headers of [userHeaders(user), { apikey: stack.publishableKey }, {}]
    ) {
      expect((await reconcile({}, headers)).status).toBe(401);
    }
  });

  test("refuses a depth that is no boolean", async () => {
    expect((await reconcile({ deep: 1 })).status).toBe(400);
  });

  test("says what to do when the database cuts the check off", async () => {
    const superuser = postgres(stack.superuserUrl, { max: 1 });
    const cut = () =>
      superuser`
        select pg_cancel_backend(pid) from pg_locks
        where relation = 'public.reconciliation_runs'::regclass and not granted`;
    try {
      const answer = await sql.begin(async (tx) => {
        await tx`lock table public.reconciliation_runs`;
        const pending = reconcile({});
        await expect.poll(cut, { timeout: 10_000 }).toHaveLength(1);
        return await pending;
      });
      expect(answer.body).toMatchObject(NOT_CHECKED);
    } finally {
      await superuser.end();
    }
  });

  test("says the same when the database cannot be reached", async () => {
    // Nobody listens there.
    const functions = await startSharedFunctions({
      supabaseUrl: "http://127.0.0.1:9",
    });
    try {
      const response = await fetch(
        `${functions.url}/functions/v1/reconcile`,
        request({}),
      );
      expect(await response.json()).toMatchObject(NOT_CHECKED);
    } finally {
      await functions.stop();
    }
  });
});
