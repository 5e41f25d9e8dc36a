import { afterAll, beforeAll, expect, test } from "vitest";
import { supabaseCli } from "../../scripts/stack/migrate.ts";
import {
  checkTypes,
  linkPackages,
  serveFunctions,
} from "../support/app_functions.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "../support/databases.ts";
import { userHeaders } from "../support/http.ts";
import {
  type AppFolder,
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";
import { createUser } from "../support/user.ts";

let server: DatabaseServer;
let installer: PackedInstaller;
let app: AppFolder;
beforeAll(async () => {
  server = await startDatabaseServer();
  installer = await packTheInstaller();
  app = await installer.makeApp(EMPTY);
});
afterAll(async () => {
  await server.stop();
  await installer.remove();
});

async function push(url: string): Promise<string> {
  const { status, stdout, stderr } = await supabaseCli(
    ["db", "push", `--remote=${url}`, "--yes"],
    app.folder,
  );
  expect(status, stdout + stderr).toBe(0);
  return stdout + stderr;
}

test("nothing is written before it is approved", async () => {
  const before = await app.files();
  const dry = await app.run("init", "--dry-run");
  expect(dry).toMatchObject({
    code: 0,
    text: expect.stringContaining("Nothing was changed (--dry-run)"),
  });
  expect(dry.text).toMatch(/new +supabase\/migrations\/\d{14}_atomic_credits/);
  const unasked = await app.run("init");
  expect(unasked).toMatchObject({
    code: 1,
    text: expect.stringMatching(/no terminal to ask in[^]*--yes/),
  });
  expect(await app.files()).toEqual(before);
});

test("init writes what db push applies, and a second run changes nothing", async () => {
  const since = new Date().toISOString().replace(/\D/g, "").slice(0, 14);
  const run = await app.run("init", "--yes");
  expect(run.code, run.text).toBe(0);
  const files = await app.files();
  const migrations = Object.keys(files)
    .filter((path) => path.startsWith("supabase/migrations/"))
    .map((path) => path.split("/")[2]!);
  expect(migrations).toEqual([
    expect.stringMatching(/^\d{14}_atomic_credits\.sql$/),
    expect.stringMatching(/^\d{14}_atomic_credits_schedule\.sql$/),
  ]);
  expect(migrations[0]! >= since).toBe(true);

  const { url, sql } = await server.create();
  await push(url);
  expect(await sql`select * from public.verify_deployment() where not ok`)
    .toEqual([]);
  expect(await sql`select file from credits.installation order by 1`)
    .toEqual(migrations.map((file) => ({ file })));
  expect(await push(url)).toContain("up to date");

  const again = await app.run("init", "--yes");
  expect(again).toMatchObject({
    code: 0,
    text: expect.stringContaining("nothing to do"),
  });
  expect(await app.files()).toEqual(files);
});

test("what was there stays, and config.toml is kept as it was", async () => {
  const files = await app.files();
  const config = files["supabase/config.toml"]!;
  expect(config.startsWith(EMPTY["supabase/config.toml"])).toBe(true);
  expect(config).toContain(`
[functions.generate]
verify_jwt = false
import_map = "./functions/_atomic_credits/deno.json"
entrypoint = "./functions/generate/index.ts"
`);
  expect(files["supabase/config.toml.before-atomic-credits"])
    .toBe(EMPTY["supabase/config.toml"]);
  expect(files[".env.example"]).toContain("OPENAI_API_KEY=\n");
});

test(
  "the functions pin what they import, and have no fault of types",
  async () => {
    const { imports } = JSON.parse(
      await app.read("supabase/functions/_atomic_credits/deno.json"),
    );
    for (const specifier of Object.values(imports)) {
      expect(specifier).toMatch(/^npm:.+@\d+\.\d+\.\d+(\/|$)/);
    }
    await linkPackages(app.folder);
    const { code, output } = await checkTypes(app.folder);
    expect(code, output).toBe(0);
    // Deno reads the types of every package anew in another folder.
  },
  180_000,
);

test("the functions generate and charge, served from the app's folder", async () => {
  const { url, stop } = await serveFunctions(app.folder);
  try {
    const user = await createUser({ credits: 5_000 });
    const answer = await fetch(`${url}/generate`, {
      method: "POST",
      headers: { ...userHeaders(user), "content-type": "application/json" },
      body: JSON.stringify({ prompt: "a cat", width: 64, height: 64 }),
    });
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { status: "succeeded", cost: 500, balance: 4_500 },
    ]);
  } finally {
    await stop();
  }
});

test("what it prints next can be pasted: the address of a linked project, and one secret in both places", async () => {
  const linked = await installer.makeApp({
    ...EMPTY,
    "supabase/.temp/project-ref": "abcdefghijklmnopqrst",
  });
  const { text } = await linked.run("init", "--yes", "--prefix", "credits-");
  expect(text).not.toMatch(/<ref>|supabase link/);
  expect(text).toContain(
    "npx atomic-credits doctor --url https://abcdefghijklmnopqrst.supabase.co ",
  );
  expect(text).toContain(
    "'https://abcdefghijklmnopqrst.supabase.co/functions/v1/credits-'",
  );
  const secrets = [...text.matchAll(/whsec_([A-Za-z0-9+/=]+)/g)]
    .map(([, secret]) => secret);
  expect(secrets).toEqual([secrets[0], secrets[0]]);
  expect(Buffer.from(secrets[0]!, "base64")).toHaveLength(24);

  const { text: elsewhere } = await app.run("init", "--dry-run");
  expect(elsewhere).not.toContain("whsec_");
  const unlinked = await installer.makeApp(EMPTY);
  expect((await unlinked.run("init", "--yes")).text).toContain(
    "npx supabase link --project-ref <ref>",
  );
});
