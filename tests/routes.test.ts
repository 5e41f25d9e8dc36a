import { FunctionRegion } from "@supabase/supabase-js";
import { beforeAll, describe, expect, test } from "vitest";
import { callFunction, functionUrl, userHeaders } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser();
});

describe("a method or path", () => {
  test("that is not there is 405 with Allow, or 404", async () => {
    const headers = userHeaders(user);
    const wrongMethod = await callFunction("generate", { headers });
    expect(wrongMethod.status).toBe(405);
    expect(wrongMethod.headers.get("allow")).toContain("POST");
    const wrongPath = await callFunction("jobs/a/b/c/d", { headers });
    expect(wrongPath.status).toBe(404);
  });
});

async function allowedHeaders(asked: string): Promise<string[]> {
  const response = await fetch(functionUrl("generate"), {
    method: "OPTIONS",
    headers: {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": asked,
    },
  });
  await response.body?.cancel();
  const allowed = response.headers.get("access-control-allow-headers") ?? "";
  return allowed.split(",").map((name) => name.trim());
}

describe("what the platform's clients add to a query", () => {
  test.each([
    ["credits", ""],
    ["credits/entries", ""],
    ["credits/statement", "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z"],
    ["jobs", "limit=3"],
  ])("is no parameter of GET %s?%s", async (path, query) => {
    const added =
      `forceFunctionRegion=eu-west-1&apikey=${stack.publishableKey}`;
    const answer = await callFunction(`${path}?${query}&${added}`, {
      headers: userHeaders(user),
    });
    expect(answer.status, answer.text).toBe(200);
  });

  test("comes from supabase-js with a region", async () => {
    const { data, error } = await user.client.functions.invoke("credits", {
      method: "GET",
      region: FunctionRegion.EuWest1,
    });
    expect(error).toBeNull();
    expect(data.account_id).toBe(user.id);
  });

  test("does not hide a parameter that nobody knows", async () => {
    const answer = await callFunction("credits?apikey=a&forceRegion=b", {
      headers: userHeaders(user),
    });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.errors).toMatchObject([{ field: "forceRegion" }]);
  });
});

describe("a browser", () => {
  test("is told by the preflight what it may send", async () => {
    const response = await fetch(functionUrl("generate"), {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers":
          "authorization, apikey, content-type, idempotency-key",
      },
    });
    await response.body?.cancel();
    expect([200, 204]).toContain(response.status);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("access-control-allow-methods"))
      .toContain("POST");
    const allowed = response.headers.get("access-control-allow-headers") ?? "";
    for (const name of ["authorization", "apikey", "idempotency-key"]) {
      expect(allowed.toLowerCase()).toContain(name);
    }
  });

  test.each([
    "sentry-trace, baggage",
    "b3,x-b3-traceid,X-Retry-Count",
    "x".repeat(2048),
  ])("may send the headers that it asks for: %.40s", async (asked) => {
    const allowed = await allowedHeaders(asked);
    for (const name of asked.split(",")) {
      expect(allowed).toContain(name.trim());
    }
    expect(allowed).toContain("idempotency-key");
  });

  test.each([
    "x".repeat(2049),
    "a b",
    "a,,b",
    "x-tab\there",
    "x-colon: 1",
    "*;q=1",
  ])("is told the usual headers where it asks for %.40j", async (asked) => {
    const allowed = await allowedHeaders(asked);
    expect(allowed).toContain("idempotency-key");
    expect(allowed).not.toContain(asked);
  });

  test("may read errors and their headers from another origin", async () => {
    const answer = await callFunction("generate", {
      method: "POST",
      headers: { origin: "https://app.example" },
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    const exposed = answer.headers.get("access-control-expose-headers") ?? "";
    for (const name of ["x-request-id", "retry-after", "ratelimit"]) {
      expect(exposed.toLowerCase()).toContain(name);
    }
  });
});
