import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  type Answer,
  callFunction,
  generate,
  userHeaders,
} from "./support/http.ts";
import { UNCONFIGURED_MODEL } from "./support/models.ts";
import { createUser } from "./support/user.ts";

/** What the database knows of an answer, by the header that its caller saw. */
async function trailOf({ headers }: Answer) {
  return [
    ...await sql`
      select step, detail, credits, account_id from public.credit_request_trail
      where request_id = ${headers.get("x-request-id")} order by at, step`,
  ];
}

test("a 200 leads to its charge, its entry and its end", async () => {
  const user = await createUser({ credits: 500 });
  const answer = await generate(user);
  expect(answer.status, answer.text).toBe(200);
  expect(await trailOf(answer)).toEqual([
    { step: "charged", detail: "standard-image", credits: -500 },
    { step: "entry 2", detail: "charge", credits: -500 },
    { step: "succeeded", detail: "placeholder", credits: null },
  ].map((row) => ({ ...row, account_id: user.id })));
});

test("a 402 leads to its denial", async () => {
  const user = await createUser({ credits: 1 });
  const answer = await generate(user);
  expect(answer.status, answer.text).toBe(402);
  expect(await trailOf(answer)).toEqual([{
    step: "denied",
    detail: "402 insufficient_credits",
    credits: null,
    account_id: user.id,
  }]);
});

test("a 502 leads to its charge and its refund", async () => {
  const user = await createUser({ credits: 500 });
  const answer = await generate(user, UNCONFIGURED_MODEL);
  expect(answer.status, answer.text).toBe(502);
  expect(await trailOf(answer)).toMatchObject([
    { step: "charged", credits: -500 },
    { step: "entry 2", credits: -500 },
    { step: "entry 3", credits: 500 },
    { step: "failed", detail: "provider_failed" },
  ]);
});

test("two answers to one key are two requests: the denied one leads to its own end", async () => {
  const user = await createUser({ credits: 500 });
  const key = { "idempotency-key": randomUUID() };
  const [first, other] = [
    await generate(user, {}, key),
    await generate(user, { seed: 1 }, key),
  ];
  expect([first.status, other.status]).toEqual([200, 422]);
  expect(await trailOf(other)).toMatchObject([
    { step: "denied", detail: "422 idempotency_key_reused" },
  ]);
  expect(await trailOf(first)).toHaveLength(3);
});

test("what never came to the ledger has an id and no trail", async () => {
  const user = await createUser();
  const body = JSON.stringify({ prompt: "" });
  for (
    const headers of [userHeaders(user), {
      "content-type": "application/json",
    }]
  ) {
    const answer = await callFunction("generate", {
      method: "POST",
      headers,
      body,
    });
    expect([400, 401]).toContain(answer.status);
    expect(answer.headers.get("x-request-id")).toBe(answer.body.request_id);
    expect(await trailOf(answer)).toEqual([]);
  }
});
