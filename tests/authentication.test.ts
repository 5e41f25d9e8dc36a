import { beforeAll, describe, expect, test } from "vitest";
import { readJobs } from "./support/database.ts";
import {
  callFunction,
  generate,
  SMALL_IMAGE,
  userHeaders,
} from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { makeToken } from "./support/tokens.ts";
import { createUser, type TestUser } from "./support/user.ts";

const HOUR_SECONDS = 3_600;

let user: TestUser;
beforeAll(async () => {
  user = await createUser();
});

describe("a caller", () => {
  test.each([
    ["Auth's claims", {}],
    ["one audience of several", { aud: ["authenticated", "app"] }],
    ["neither issuer nor audience", { iss: undefined, aud: undefined }],
  ])(
    "with a token of the stack's own secret and %s is let in",
    async (_, claims) => {
      const answer = await generate({ token: makeToken(user.id, { claims }) });
      expect(answer.status, answer.text).toBe(200);
    },
  );

  const nowSeconds = Math.floor(Date.now() / 1000);
  test.each<[string, () => string, string[]?]>([
    ["text that is no token", () => "not-a-token"],
    ["algorithm none", () => makeToken(user.id, { algorithm: "none" })],
    ["another secret", () => makeToken(user.id, { secret: "x".repeat(40) })],
    [
      "an expired token",
      () => makeToken(user.id, { claims: { exp: nowSeconds - HOUR_SECONDS } }),
    ],
    [
      "a token not valid yet",
      () => makeToken(user.id, { claims: { nbf: nowSeconds + HOUR_SECONDS } }),
    ],
    [
      "a token without end",
      () => makeToken(user.id, { claims: { exp: undefined } }),
    ],
    ["role anon", () => makeToken(user.id, { claims: { role: "anon" } })],
    [
      "role service_role",
      () => makeToken(user.id, { claims: { role: "service_role" } }),
    ],
    ["another project's issuer", () => {
      const iss = "https://another.supabase.co/auth/v1";
      return makeToken(user.id, { claims: { iss } });
    }],
    [
      "an issuer that only begins like ours",
      () => makeToken(user.id, { claims: { iss: `${stack.url}/auth/v1/x` } }),
    ],
    [
      "another audience",
      () => makeToken(user.id, { claims: { aud: "another-app" } }),
    ],
    ["no subject", () => makeToken(user.id, { claims: { sub: undefined } })],
    ["a subject that is no id", () => makeToken("somebody")],
    ["a changed payload", () => {
      const [head, , signature] = makeToken(user.id).split(".");
      const [, payload] = makeToken(crypto.randomUUID()).split(".");
      return `${head}.${payload}.${signature}`;
    }],
    ["the publishable key", () => stack.publishableKey],
    ["the secret key", () => stack.secretKey, ["jobs", "credits"]],
  ])("with %s is 401", async (_, token, paths = [
    "generate",
    "jobs",
    "credits",
  ]) => {
    const before = await readJobs(user.id);
    for (const path of paths) {
      const answer = path === "generate"
        ? await generate({ token: token() })
        : await callFunction(path, {
          headers: userHeaders({ token: token() }),
        });
      expect(answer.status, `${path}: ${answer.text}`).toBe(401);
      expect(answer.body.code).toBe("unauthorized");
      expect(answer.headers.get("x-request-id")).toBe(answer.body.request_id);
    }
    expect(await readJobs(user.id)).toEqual(before);
  });

  test("without any token is 401", async () => {
    const answer = await callFunction("generate", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(SMALL_IMAGE),
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
  });
});
