import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { FILES, LEFT_OUT } from "../../scripts/test/router_files.ts";

const STACK = normalize("tests/support/stack.ts");

const read = new Map<string, readonly string[]>();

/** The files of this project that a file imports. */
function importsOf(file: string): readonly string[] {
  const known = read.get(file);
  if (known) return known;
  const text = readFileSync(file, "utf8");
  const found = [...text.matchAll(/(?:from|import) "(\.[^"]+\.ts)"/g)]
    .map(([, path]) => normalize(join(dirname(file), path!)));
  read.set(file, found);
  return found;
}

/** Whether a file comes to use the stack that the set-up starts, which may be a router's. */
function usesTheStack(file: string, seen = new Set<string>()): boolean {
  if (file === STACK) return true;
  if (seen.has(file)) return false;
  seen.add(file);
  return importsOf(file).some((imported) => usesTheStack(imported, seen));
}

const USE_IT = readdirSync("tests", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => normalize(join("tests", file)))
  .filter((file) => usesTheStack(file)).sort();

test("each HTTP test is run through the router, or its reason is named", () => {
  const named = [...FILES, ...Object.values(LEFT_OUT).flat()];
  expect(named.filter((file) => file.endsWith(".test.ts")).sort())
    .toEqual(USE_IT);
});
