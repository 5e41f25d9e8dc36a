import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { functionsEnvironment } from "../scripts/stack/functions.ts";

/** The variables that docs/configuration.md gives to the functions. */
function documentedNames(): string[] {
  const page = readFileSync("docs/configuration.md", "utf8");
  const [, section = ""] = page.split("\n## Environment of the functions\n");
  const [table = ""] = section.split("\n## ");
  return [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, names]) =>
    [...names!.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name!)
  );
}

test("npm start hands every variable on that the functions are configured by", () => {
  const names = documentedNames();
  expect(names).toContain("SB_JWT_ISSUER");
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) vi.stubEnv(name, `the ${name}`);
  const environment = functionsEnvironment({
    supabaseUrl: "http://127.0.0.1:54321",
    databaseUrl: "postgresql://127.0.0.1:54322/postgres",
    keys: { publishable: "", secret: "", jwtSecret: "" },
  });
  vi.unstubAllEnvs();
  expect(environment).toMatchObject(
    Object.fromEntries(names.map((name) => [name, `the ${name}`])),
  );
});
