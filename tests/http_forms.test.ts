import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, functionUrl, userHeaders } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

const PERIOD = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";
const STATEMENT = `credits/statement?${PERIOD}`;

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 2_000 });
});

function get(path: string, headers: Record<string, string> = {}) {
  return callFunction(path, { headers: { ...userHeaders(user), ...headers } });
}

describe("the scheme of authorization is read in any case", () => {
  test.each(["bearer", "BEARER", "Bearer "])(
    "for a user: %j",
    async (scheme) => {
      const answer = await get("credits", {
        authorization: `${scheme} ${user.token}`,
      });
      expect(answer.status, answer.text).toBe(200);
    },
  );

  test("for the secret key", async () => {
    const answer = await callFunction("metrics", {
      headers: { authorization: `bearer ${stack.secretKey}` },
    });
    expect(answer.status, answer.text).toBe(200);
  });

  test.each(["Basic", "Bearerish", ""])("but not %j", async (scheme) => {
    const answer = await get("credits", {
      authorization: `${scheme} ${user.token}`,
    });
    expect(answer.status, answer.text).toBe(401);
  });
});

describe("an account that is not there, or not the user's, is 404", () => {
  const PATHS = ["credits", "credits/entries", STATEMENT, "jobs"];

  test.each(PATHS)("for GET %s", async (path) => {
    const stranger = await createUser();
    for (const id of [randomUUID(), stranger.id]) {
      const asking = path.includes("?") ? "&" : "?";
      const answer = await get(`${path}${asking}account_id=${id}`);
      expect(answer.status, answer.text).toBe(404);
      expect(answer.body.code).toBe("not_found");
    }
  });

  test.each(PATHS)(
    "but the user's own is there before its first use: GET %s",
    async (path) => {
      const fresh = await createUser({ credits: 0 });
      await sql`delete from public.credit_accounts where id = ${fresh.id}`;
      for (const more of ["", `&account_id=${fresh.id}`]) {
        const query = path.includes("?") ? more : more.replace("&", "?");
        const answer = await callFunction(`${path}${query}`, {
          headers: userHeaders(fresh),
        });
        expect(answer.status, answer.text).toBe(200);
      }
    },
  );
});

describe("a statement comes", () => {
  test.each([
    ["text/csv", "text/csv; charset=utf-8"],
    ["Text/CSV", "text/csv; charset=utf-8"],
    ["text/csv; charset=utf-8", "text/csv; charset=utf-8"],
    ["application/json;q=0.5, text/csv", "text/csv; charset=utf-8"],
    ["text/csv;q=0", "application/json"],
    ["text/csv;q=0.5, application/json", "application/json"],
    ["text/html, */*;q=0.8", "application/json"],
    ["image/png", "application/json"],
  ])("to who accepts %j as %j", async (accept, type) => {
    const answer = await get(STATEMENT, { accept });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get("content-type")).toBe(type);
  });
});

test.each<[string, string, Record<string, string>, number]>([
  ["a balance", "credits", {}, 200],
  ["a statement", STATEMENT, {}, 200],
  ["a statement as CSV", STATEMENT, { accept: "text/csv" }, 200],
  ["a bad request", "credits?limit=1", {}, 400],
  ["a request without a token", "credits", { authorization: "" }, 401],
  ["a path that is not there", "credits/nothing", {}, 404],
  ["a route without GET", "generate", {}, 405],
])("no cache keeps the answer to %s", async (_, path, headers, status) => {
  const answer = await get(path, headers);
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers.get("cache-control")).toBe("no-store");
});

describe("a time in a query", () => {
  test("may have its + unencoded, as the API itself writes it", async () => {
    const [{ created_at }] = (await get("credits/entries")).body.data;
    expect(created_at).toContain("+00:00");
    const plain = await get(
      `credits/statement?from=${created_at}&to=2099-01-01T00:00:00+00:00`,
    );
    expect(plain.status, plain.text).toBe(200);
    const encoded = await get(
      `credits/statement?from=${
        encodeURIComponent(created_at)
      }&to=2099-01-01T00:00:00Z`,
    );
    expect(plain.body.lines[0]).toMatchObject({
      line: "opening",
      balance: 2_000,
    });
    expect(plain.body).toEqual(encoded.body);
  });

  test.each([
    ["from=rubbish&to=2026-01-01T00:00:00Z", ["from"]],
    ["from=2026-01-01T00:00:00Z&to=never", ["to"]],
    ["from=0000-01-01T00:00:00Z&to=x", ["from", "to"]],
    ["from=2026-01-01T00:00:00 15:99&to=2026-01-01T00:00:00Z", ["from"]],
    ["from=2027-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", ["to"]],
    ["", ["from", "to"]],
  ])("that is wrong is told once: %j", async (query, fields) => {
    const answer = await get(`credits/statement?${query}`);
    expect(answer.status, answer.text).toBe(400);
    const told = answer.body.errors.map(({ field }: { field: string }) =>
      field
    );
    expect(told).toEqual(fields);
  });
});

describe("a query", () => {
  test.each([
    "limit=0x2",
    "limit=1e1",
    "limit=%201",
    "limit=1.0",
    "limit=",
    "limit=-1",
    "limit=101",
  ])("with %s is 400", async (query) => {
    for (const path of ["jobs", "credits/entries"]) {
      const answer = await get(`${path}?${query}`);
      expect(answer.status, answer.text).toBe(400);
      expect(answer.body.errors).toEqual([
        { field: "limit", message: "must be a whole number from 1 to 100" },
      ]);
    }
  });

  test.each([
    ["jobs?limit=abc&limit=1", "limit"],
    ["jobs?status=failed&limit=1&status=failed", "status"],
    [`jobs?id=${randomUUID()}&id=${randomUUID()}`, "id"],
    ["credits/entries?limit=1&limit=1", "limit"],
    [`credits?account_id=${randomUUID()}&account_id=x`, "account_id"],
    [`${STATEMENT}&to=2026-01-01T00:00:00Z`, "to"],
  ])("that says something twice is 400: %s", async (path, field) => {
    const answer = await get(path);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.errors).toEqual([
      { field, message: "must be given once" },
    ]);
  });
});

describe("HEAD", () => {
  function head(path: string, headers: Record<string, string>) {
    return fetch(functionUrl(path), { method: "HEAD", headers });
  }

  test.each(["credits", "jobs", STATEMENT])(
    "of %s is GET without a body",
    async (path) => {
      const answer = await head(path, userHeaders(user));
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(answer.headers.get("x-request-id")).toBeTruthy();
      expect(await answer.text()).toBe("");
      const anonymous = await head(path, {});
      expect(anonymous.status).toBe(401);
      expect(await anonymous.text()).toBe("");
    },
  );

  test("of metrics is GET without a body", async () => {
    const answer = await head("metrics", { apikey: stack.secretKey });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toContain("text/plain");
  });

  test("is named where GET is, and nowhere else", async () => {
    const allowed = async (path: string, method: string) => {
      const answer = await fetch(functionUrl(path), { method });
      expect(answer.status).toBe(405);
      return answer.headers.get("allow");
    };
    expect(await allowed("credits", "PUT")).toBe("GET, HEAD, OPTIONS");
    expect(await allowed("jobs/x", "PUT")).toBe("GET, HEAD, DELETE, OPTIONS");
    expect(await allowed("generate", "HEAD")).toBe("POST, OPTIONS");
  });
});

test("every 401 says what it asks for", async () => {
  const paths = [
    "provider-webhook/replicate",
    "deliver-events",
    "reconcile",
    "generate",
  ];
  for (const path of paths) {
    const answer = await callFunction(path, { method: "POST" });
    expect(answer.status, answer.text).toBe(401);
    expect(answer.headers.get("www-authenticate"), path).toBe(
      path.startsWith("provider-webhook") ? "Provider-Signature" : "Bearer",
    );
  }
});
