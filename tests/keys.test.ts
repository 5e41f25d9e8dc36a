import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, userHeaders } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser();
});

const SERVER: Record<string, string> = {
  apikey: stack.secretKey,
  "content-type": "application/json",
};

function make(body: Record<string, unknown>, headers = userHeaders(user)) {
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  return callFunction("keys", init);
}

describe("POST keys", () => {
  test("shows a key once; GET keys lists it without it", async () => {
    const made = await make({
      name: "laptop",
      models: ["standard-text"],
      monthly_cap: 500,
      expires_at: "2099-01-01T00:00:00Z",
    });
    expect(made.status, made.text).toBe(201);
    expect(made.body.key).toMatch(/^ack_[0-9a-f]{68}$/);
    expect(made.headers.get("cache-control")).toBe("no-store");
    const listed = await callFunction("keys", { headers: userHeaders(user) });
    expect(listed.status, listed.text).toBe(200);
    expect(listed.text).not.toContain(made.body.key);
    expect(listed.body.data).toMatchObject([{
      id: made.body.id,
      name: "laptop",
      hint: made.body.key.slice(-4),
      models: ["standard-text"],
      monthly_cap: 500,
      spent: 0,
      revoked_at: null,
    }]);
  });

  test.each<[string, Record<string, unknown>]>([
    ["name", {}],
    ["name", { name: "x".repeat(101) }],
    ["models", { name: "x", models: [] }],
    ["monthly_cap", { name: "x", monthly_cap: -1 }],
    ["expires_at", { name: "x", expires_at: "tomorrow" }],
    ["request", { name: "x", expires_at: "2001-01-01T00:00:00Z" }],
    ["admin", { name: "x", admin: true }],
  ])("names a bad %s: %j", async (field, body) => {
    const answer = await make(body);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.errors).toMatchObject([{ field }]);
  });

  test("has at most 100 keys for an account", async () => {
    const many = await createUser();
    await sql`select public.create_app_key(${many.id}, ${many.id}, 'key ' || i)
      from generate_series(1, 100) as i`;
    const answer = await make({ name: "one more" }, userHeaders(many));
    expect(answer.status, answer.text).toBe(409);
    expect(answer.body.code).toBe("too_many_keys");
  });

  test("is for the account's own user", async () => {
    const stranger = await createUser();
    const body = { name: "theirs", account_id: user.id };
    const answer = await make(body, userHeaders(stranger));
    expect(answer.status, answer.text).toBe(403);
    expect(answer.body.code).toBe("not_allowed");
  });

  test("is for the app's own server too, which names the account", async () => {
    expect((await make({ name: "x" }, SERVER)).status).toBe(400);
    const fresh = await createUser();
    const body = { name: "server", account_id: fresh.id };
    const made = await make(body, SERVER);
    expect(made.status, made.text).toBe(201);
    const listed = await callFunction("keys", { headers: userHeaders(fresh) });
    expect(listed.body.data).toMatchObject([{ member_id: null }]);
  });

  test("is for nobody else", async () => {
    const answer = await callFunction("keys", { method: "POST" });
    expect(answer.status).toBe(401);
  });
});

describe("DELETE keys/<id>", () => {
  function revoke(id: string, of = user) {
    const init = { method: "DELETE", headers: userHeaders(of) };
    return callFunction(`keys/${id}`, init);
  }

  test("revokes a key, and says so again", async () => {
    const { body: { id } } = await make({ name: "lost" });
    const first = await revoke(id);
    expect(first.status, first.text).toBe(200);
    expect(first.body).toEqual({
      id,
      revoked: true,
      was_revoked_before: false,
    });
    expect((await revoke(id)).body.was_revoked_before).toBe(true);
  });

  test("is 404 for another's key and one that is not there", async () => {
    const { body: { id } } = await make({ name: "mine" });
    const stranger = await createUser();
    expect((await revoke(id, stranger)).status).toBe(404);
    expect((await revoke(randomUUID())).status).toBe(404);
    expect((await revoke("x")).status).toBe(400);
  });
});
