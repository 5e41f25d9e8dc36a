import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  callFunction,
  generate,
  SMALL_IMAGE,
  userHeaders,
} from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 5_000 });
});

function ask(
  headers: Record<string, string>,
  body: Record<string, unknown> = { account_id: user.id },
) {
  return callFunction("generate", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ ...SMALL_IMAGE, ...body }),
  });
}

const BEARER = () => ({ authorization: `Bearer ${stack.secretKey}` });
const APIKEY = () => ({ apikey: stack.secretKey });

async function readAsker(jobId: string) {
  const [row] = await sql`
    select member_id, input ->> 'asked_by' as asked_by, (
      select detail from public.credit_request_trail where job_id = ${jobId} and step = 'charged') as detail
    from public.generation_jobs where id = ${jobId}`;
  return { ...row };
}

describe("a server with the secret key", () => {
  test.each([
    ["as apikey", APIKEY],
    ["as bearer token", BEARER],
    ["as both, as supabase-js sends it", () => ({ ...APIKEY(), ...BEARER() })],
  ])("generates for a user: %s", async (_, headers) => {
    const before = await user.client.from("credit_accounts").select().single();
    const answer = await ask(headers());
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.balance).toBe(before.data!.balance - 500);
    expect(await readAsker(answer.body.job_id)).toEqual({
      member_id: null,
      asked_by: "server",
      detail: "standard-image, asked by server",
    });
    const shown = await callFunction(`jobs/${answer.body.job_id}`, {
      headers: userHeaders(user),
    });
    expect(shown.body.input).toMatchObject({ asked_by: "server" });
  });

  test("must say for whom", async () => {
    const answer = await ask(APIKEY(), {});
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.errors).toMatchObject([{ field: "account_id" }]);
  });

  test("is held by the account's limits and balance", async () => {
    const poor = await createUser({ credits: 1 });
    const answer = await ask(APIKEY(), { account_id: poor.id });
    expect(answer.status, answer.text).toBe(402);
  });

  test.each(["server", "user"])(
    "has keys of its own: the one that comes first, here the %s, blocks nobody",
    async (first) => {
      const other = await createUser({ credits: 5_000 });
      const key = { "idempotency-key": randomUUID() };
      const asServer = () =>
        ask({ ...APIKEY(), ...key }, { account_id: other.id });
      const asUser = () => generate(other, {}, key);
      const ways = first === "server" ? [asServer, asUser] : [asUser, asServer];
      const jobs: string[] = [];
      for (const way of [...ways, ...ways]) {
        const answer = await way();
        expect(answer.status, answer.text).toBe(200);
        jobs.push(answer.body.job_id);
      }
      expect(new Set(jobs).size).toBe(2);
      expect(jobs.slice(2)).toEqual(jobs.slice(0, 2));
    },
  );
});

describe("what is no server", () => {
  test("a user's token with the secret key beside it asks for that user", async () => {
    const answer = await ask({ ...userHeaders(user), ...APIKEY() }, {});
    expect(answer.status, answer.text).toBe(200);
    expect(await readAsker(answer.body.job_id)).toEqual({
      member_id: null,
      asked_by: null,
      detail: "standard-image",
    });
  });

  test("and reaches no account of others", async () => {
    const other = await createUser();
    const answer = await ask({ ...userHeaders(user), ...APIKEY() }, {
      account_id: other.id,
    });
    expect(answer.status, answer.text).toBe(403);
  });

  test.each([
    ["the publishable key", () => ({ apikey: stack.publishableKey })],
    ["another secret key", () => ({ apikey: "sb_secret_none" })],
    ["no key", () => ({})],
    ["a broken token and the secret key", () => ({
      ...APIKEY(),
      authorization: "Bearer a.b.c",
    })],
  ])("%s is 401", async (_, headers: () => Record<string, string>) => {
    const answer = await ask(headers());
    expect(answer.status, answer.text).toBe(401);
  });

  test("a user cannot say so themselves", async () => {
    const answer = await generate(user, { asked_by: "server" });
    expect(answer.status, answer.text).toBe(400);
  });
});
