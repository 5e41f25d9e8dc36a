import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { functionsEnvironment } from "../scripts/stack/functions.ts";

/** The variables that README.md's configuration gives to the functions. */
function documentedNames(): string[] {
  const rows = readFileSync("README.md", "utf8")
    .matchAll(/^\| (.+) \| environment of the functions \|/gm);
  return [...rows].flatMap(([, names]) =>
    [...names!.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name!)
  );
}

test("npm start hands every variable on that the functions are configured by", () => {
  const names = documentedNames();
  expect(names).toContain("SB_JWT_ISSUER");
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
