import { beforeAll, describe, expect, test } from "vitest";
import { callFunction, functionUrl, userHeaders } from "./support/http.ts";
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
