import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";
import { FUNCTION_NAMES } from "../scripts/stack/function_names.ts";
import { functionUrl } from "./support/http.ts";
import {
  DOCUMENTED,
  OPENAPI,
  routeOf,
  undescribed,
} from "./support/openapi.ts";
import { expectStatus } from "./support/openapi_scene.ts";

test("openapi.json is a document of OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(
    readFileSync("openapi.json", "utf8"),
  );
  expect(valid, JSON.stringify(errors)).toBe(true);
  expect(validator.version).toBe("3.1");
});

test("every function has routes in it, and no route is of another", () => {
  const names = DOCUMENTED.map(({ path }) => path.split("/")[1]!);
  expect([...new Set(names)].sort()).toEqual([...FUNCTION_NAMES]);
});

test("every path takes the methods that it says, and no others", async () => {
  for (const [path, operations] of Object.entries(OPENAPI.paths)) {
    const url = functionUrl(path.slice(1).replace(/\{\w+\}/g, randomUUID()));
    const response = await fetch(url, { method: "OPTIONS" });
    const served = response.headers.get("allow")!.split(", ");
    const methods = Object.keys(operations).map((each) => each.toUpperCase());
    const expected = methods.includes("GET") ? [...methods, "HEAD"] : methods;
    expect(served.sort(), path).toEqual([...expected, "OPTIONS"].sort());
  }
});

test("every route refuses without credentials, as it says", async () => {
  for (const { method, path } of DOCUMENTED) {
    if (path.includes("{provider}")) continue;
    const body = method === "POST" ? {} : undefined;
    const called = path.slice(1).replace(/\{\w+\}/g, randomUUID());
    await expectStatus(401, method, called, { body, headers: {} });
  }
});

test("an answer that openapi.json does not have is noticed", () => {
  const route = routeOf("GET", "credits")!;
  const headers = new Headers({
    "content-type": "application/json",
    "x-request-id": randomUUID(),
  });
  const answer = { status: 200, headers, text: "", body: { surplus: 1 } };
  expect(undescribed(route, answer).join("\n")).toMatch(/surplus/);
  expect(undescribed(route, { ...answer, status: 418 })).toHaveLength(1);
});
