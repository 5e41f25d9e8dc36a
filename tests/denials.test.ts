import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DENIALS } from "../functions/_shared/denials.ts";
import { HTTP_PROBLEMS, problemOf } from "../functions/_shared/problem.ts";

const ofHttp = Object.keys(HTTP_PROBLEMS);

const own = /(denials|problem)\.ts$/;

/** The sources of the functions, without the two lists. */
const sources = readdirSync("functions", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !own.test(file))
  .map((file) => readFileSync(join("functions", file), "utf8")).join("\n");

test("a code is listed by the database or by HTTP, never by both", () => {
  expect(ofHttp.filter((code) => Object.hasOwn(DENIALS, code))).toEqual([]);
});

test.each(ofHttp)(
  "HTTP answers %s, which it lists",
  (code) => {
    expect(sources).toContain(`"${code}"`);
  },
);

describe.each(Object.entries(DENIALS))("%s", (code, { status, title }) => {
  test("is answered with the status of its list", async () => {
    const denied = problemOf({ code, message: "why", errors: null });
    const answer = denied.toResponse("request-1");
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code, status, title });
  });
});

test("a code that no list has is an error of ours", () => {
  const unknown = { code: "unheard_of", message: null, errors: null };
  expect(() => problemOf(unknown)).toThrow("unknown code unheard_of");
});
