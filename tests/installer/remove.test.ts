import { afterAll, beforeAll, expect, test } from "vitest";
import { supabaseCli } from "../../scripts/stack/migrate.ts";
import { readCatalog } from "../support/catalog.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "../support/databases.ts";
import { expectRefusal } from "../support/expect_refusal.ts";
import {
  type AppFolder,
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";

const ACCOUNT = "00000000-0000-4000-8000-0000000000c1";
const SOURCES = "supabase/functions/_atomic_credits";
const MINE = {
  "supabase/config.toml": `# My app.
project_id = "my-app" # as in the dashboard

[functions.hello] # mine
verify_jwt = true

# The end.
`,
  "supabase/functions/hello/index.ts": "// mine\n",
  "supabase/migrations/20260301120000_pictures.sql":
    "create table public.pictures (id bigint primary key);\n",
  ".env.example": "MINE=1\n",
};

let server: DatabaseServer;
let installer: PackedInstaller;
beforeAll(async () => {
  server = await startDatabaseServer();
  installer = await packTheInstaller();
});
afterAll(async () => {
  await server.stop();
  await installer.remove();
});

async function push({ folder }: AppFolder, url: string) {
  const { status, stdout, stderr } = await supabaseCli(
    ["db", "push", `--remote=${url}`, "--yes"],
    folder,
  );
  return { status, text: stdout + stderr };
}

/** Without the migrations, which a history wants to keep. */
function withoutMigrations(files: Record<string, string>) {
  return Object.fromEntries(
    Object.entries(files).filter(([path]) =>
      !/migrations\/.*atomic_credits/.test(path)
    ),
  );
}

test("remove takes everything out again, keeps the data, and lets it be installed anew", async () => {
  const app = await installer.makeApp(MINE);
  const { url, sql } = await server.create();
  expect(await push(app, url)).toMatchObject({ status: 0 });
  const before = await readCatalog(sql);
  await app.run("init", "--yes");
  expect(await push(app, url)).toMatchObject({ status: 0 });
  await sql`select public.grant_credits(${ACCOUNT}, 500)`;
  await expectRefusal(app, ["remove"], /no terminal/);

  const run = await app.run("remove", "--yes");
  expect(run.code, run.text).toBe(0);
  expect(run.text).toContain("npx supabase functions delete");
  expect(withoutMigrations(await app.files())).toEqual(MINE);
  const pushed = await push(app, url);
  expect(pushed.status, pushed.text).toBe(0);
  const [backup] = await sql<{ name: string }[]>`
    select nspname as name from pg_namespace where nspname like 'credits_backup_%'`;
  expect(
    await sql`select account_id, balance_after from ${
      sql(`${backup!.name}.credit_ledger`)
    }`,
  ).toMatchObject([{ account_id: ACCOUNT }]);
  await sql`drop schema ${sql(backup!.name)} cascade`;
  expect(await readCatalog(sql)).toEqual(before);

  expect(await app.run("init", "--yes")).toMatchObject({ code: 0 });
  expect(await push(app, url)).toMatchObject({ status: 0 });
  expect(await sql`select * from public.verify_deployment() where not ok`)
    .toEqual([]);
});

test("a database that is made anew goes through both, and has nothing of it", async () => {
  const app = await installer.makeApp(MINE);
  await app.run("init", "--yes");
  await app.run("remove", "--yes");
  const { url, sql } = await server.create();
  expect(await push(app, url)).toMatchObject({ status: 0 });
  expect(await sql`select to_regnamespace('credits') as made`)
    .toEqual([{ made: null }]);
});

test("with --drop-data nothing is copied", async () => {
  const app = await installer.makeApp(MINE);
  await app.run("init", "--yes");
  await app.run("remove", "--yes", "--drop-data");
  const { url, sql } = await server.create();
  expect(await push(app, url)).toMatchObject({ status: 0 });
  expect(
    await sql`select from pg_namespace where nspname ~ '^credits'`,
  ).toEqual([]);
});

test("files that were edited are named, and stay", async () => {
  const app = await installer.makeApp(MINE);
  await app.run("init", "--yes");
  await app.write(`${SOURCES}/generate/handler.ts`, "// mine\n");
  const config = await app.read("supabase/config.toml");
  await app.write(
    "supabase/config.toml",
    config.replace(
      "[functions.jobs]\nverify_jwt = false",
      "[functions.jobs]\nverify_jwt = true",
    ) + "# Behind it.\n",
  );
  const run = await app.run("remove", "--yes");
  expect(run.text).toMatch(/You edited these.*\n.*generate\/handler\.ts/);
  const files = withoutMigrations(await app.files());
  expect(files).toMatchObject({
    ...MINE,
    "supabase/config.toml": expect.stringMatching(
      /^# My app\.[^]*# The end\.\n[^]*\[functions\.jobs\]\nverify_jwt = true[^]*# Behind it\.\n$/,
    ),
    [`${SOURCES}/generate/handler.ts`]: "// mine\n",
  });
  expect(files["supabase/config.toml"]).not.toContain("[functions.keys]");
  expect(Object.keys(files).filter((path) => path.startsWith(SOURCES)))
    .toHaveLength(1);
});

test("something of yours that depends on it is named by db push, and nothing is changed", async () => {
  const app = await installer.makeApp(MINE);
  const { url, sql } = await server.create();
  await app.run("init", "--yes");
  await push(app, url);
  await sql`create view public.mine as select account_id from public.credit_ledger`;
  await app.run("remove", "--yes");
  expect(await push(app, url)).toMatchObject({
    status: 1,
    text: expect.stringMatching(/view mine depends on table credit_ledger/),
  });
  expect(await sql`select * from public.verify_deployment() where not ok`)
    .toEqual([]);
});

test("a removal that was stopped goes on, and nothing else is done meanwhile", async () => {
  const app = await installer.makeApp(EMPTY);
  await app.run("init", "--yes");
  const obstacle = "supabase/config.toml.atomic-credits-half";
  await app.write(`${obstacle}/x`, "");
  expect((await app.run("remove", "--yes")).code).toBe(1);
  await app.delete(obstacle);
  await expectRefusal(app, ["init", "--yes"], /npx atomic-credits remove/);
  expect(await app.run("doctor")).toMatchObject({ code: 1 });
  expect(await app.run("remove", "--yes")).toMatchObject({ code: 0 });
  expect(withoutMigrations(await app.files())).toEqual(EMPTY);
  await expectRefusal(app, ["remove", "--yes"], /not installed here/);
});
