import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type AppFolder,
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { type OwnStack, startOwnStack } from "../support/own_stack.ts";

// One of its own: on a shared one other tests fail generations, which doctor tells.
let own: OwnStack;
let keys: string[];
let installer: PackedInstaller;
let app: AppFolder;
beforeAll(async () => {
  own = await startOwnStack();
  keys = ["--url", own.stack.url, "--secret-key", own.stack.keys.secret];
  installer = await packTheInstaller();
  app = await installer.makeApp(EMPTY);
  await app.run("init", "--yes");
});
afterAll(async () => {
  await installer.remove();
  await own.stop();
});

test("doctor checks files, functions and database with nothing but the project's keys", async () => {
  const { code, text } = await app.run("doctor", ...keys);
  expect(code, text).toBe(0);
  expect(text).toMatch(/^ok +every file is there: /m);
  expect(text).toMatch(/^ok +function generate answers: yes/m);
  expect(text).toMatch(/^ok +tables, views, functions and types exist/m);
  expect(text).toMatch(/\d+ checks, all ok\n$/);
  expect(text).not.toContain(own.stack.keys.secret);
});

test("it names a file that is missing, and init brings it back", async () => {
  await app.delete("supabase/functions/jobs/index.ts");
  const { code, text } = await app.run("doctor");
  expect(code).toBe(1);
  expect(text).toMatch(
    /^NOT OK +every file is there: .*jobs\/index\.ts\n +npx atomic-credits init/m,
  );
  expect(await app.run("init", "--yes")).toMatchObject({ code: 0 });
  expect(await app.run("doctor")).toMatchObject({ code: 0 });
});

test("it names a function's block of which the platform would check the token", async () => {
  const config = await app.read("supabase/config.toml");
  const block = "[functions.jobs]\nverify_jwt = ";
  await app.write(
    "supabase/config.toml",
    config.replace(`${block}false`, `${block}true`),
  );
  const { code, text } = await app.run("doctor");
  expect(code).toBe(1);
  expect(text).toMatch(
    /^NOT OK .*missing or changed: jobs\n.*verify_jwt must be false/m,
  );
  await app.write("supabase/config.toml", config);
});

test("it says which functions are not deployed", async () => {
  const other = await installer.makeApp(EMPTY);
  await other.run("init", "--yes", "--prefix", "credits-");
  const { code, text } = await other.run("doctor", ...keys);
  expect(code).toBe(1);
  expect(text).toMatch(
    /^NOT OK +function credits-jobs answers: 404: it is not deployed\n +npx supabase functions deploy credits-jobs/m,
  );
});

test("it says that a key will not do, or that nothing answers", async () => {
  const refused = await app.run(
    "doctor",
    "--url",
    own.stack.url,
    "--secret-key",
    "sb_secret_wrong",
  );
  expect(refused.code).toBe(1);
  expect(refused.text).toMatch(
    /^NOT OK +the database verifies: 401[^]*Is --secret-key/m,
  );
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const silent = await app.run(
    "doctor",
    "--url",
    nowhere,
    "--secret-key",
    "sb_secret_x",
  );
  expect(silent.code).toBe(1);
  expect(silent.text).toMatch(
    /the database verifies: ECONNREFUSED\n +Check --url/,
  );
});

test("where nothing is installed, it names init", async () => {
  const empty = await installer.makeApp(EMPTY);
  expect(await empty.run("doctor", ...keys)).toMatchObject({
    code: 1,
    text: expect.stringContaining("npx atomic-credits init"),
  });
});
