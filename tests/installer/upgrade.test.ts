import { afterAll, beforeAll, expect, test } from "vitest";
import { supabaseCli } from "../../scripts/stack/migrate.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "../support/databases.ts";
import {
  alter,
  type AppFolder,
  EMPTY,
  exchange,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";

const SOURCES = "supabase/functions/_atomic_credits";
const LATER = `-- Atomic Credits 99.0.0, a later release.
insert into credits.installation (release, file, checksum) values ('99.0.0', '{file}', repeat('9', 64));
`;

let server: DatabaseServer;
let installed: PackedInstaller;
let newer: PackedInstaller;
let another: PackedInstaller;
beforeAll(async () => {
  server = await startDatabaseServer();
  installed = await packTheInstaller();
  newer = await packTheInstaller(alter({
    release: "99.0.0",
    checksum: "9".repeat(64),
    files: {
      "functions/_shared/moment.ts": "export const moment = 2;\n",
      "functions/generate/answer.ts": "export const answer = 2;\n",
      "functions/_shared/first_frame.ts": undefined,
      "functions/_shared/keep_alive.ts": undefined,
      "functions/_shared/brand_new.ts": "export const brandNew = 1;\n",
    },
    steps: { atomic_credits_later: LATER },
  }));
  another = await packTheInstaller(alter({
    release: "99.0.1",
    checksum: "8".repeat(64),
    files: { "migrations/atomic_credits.sql": "-- Atomic Credits 99.0.1\n" },
  }));
});
afterAll(async () => {
  await server.stop();
  await Promise.all([installed, newer, another].map((one) => one.remove()));
});

async function push({ folder }: AppFolder, url: string): Promise<void> {
  const { status, stdout, stderr } = await supabaseCli(
    ["db", "push", `--remote=${url}`, "--yes"],
    folder,
  );
  expect(status, stdout + stderr).toBe(0);
}

async function editedApp(): Promise<AppFolder> {
  const app = await installed.makeApp(EMPTY);
  await app.run("init", "--yes");
  for (
    const file of [
      "generate/answer.ts",
      "_shared/keep_alive.ts",
      "jobs/handler.ts",
    ]
  ) {
    await app.write(`${SOURCES}/${file}`, "// mine\n");
  }
  await app.write("supabase/functions/keys/index.ts", "// mine\n");
  return app;
}

test("an upgrade brings what is newer, and never overwrites what was edited", async () => {
  const app = await editedApp();
  const { url, sql } = await server.create();
  await push(app, url);
  const before = await app.files();
  await exchange(app, newer.file);
  const init = await app.run("init", "--yes");
  expect(init).toMatchObject({
    code: 1,
    text: expect.stringContaining("npx atomic-credits upgrade"),
  });
  expect(await app.files()).toEqual(before);

  const run = await app.run("upgrade", "--yes");
  expect(run.code, run.text).toBe(0);
  expect(run.text).toMatch(/answer\.ts \(the new one is beside it: \.new\)/);
  const after = await app.files();
  const changed = Object.keys({ ...before, ...after })
    .filter((path) => before[path] !== after[path]).sort();
  const migration = changed.find((path) => path.includes("/migrations/"))!;
  expect(changed).toEqual([
    "supabase/atomic-credits.json",
    `${SOURCES}/_shared/brand_new.ts`,
    `${SOURCES}/_shared/first_frame.ts`,
    `${SOURCES}/_shared/moment.ts`,
    `${SOURCES}/generate/answer.ts.new`,
    expect.stringMatching(/\d{14}_atomic_credits_later\.sql$/),
  ]);
  expect(after[`${SOURCES}/generate/answer.ts.new`])
    .toBe("export const answer = 2;\n");
  expect(after[`${SOURCES}/_shared/first_frame.ts`]).toBeUndefined();

  await push(app, url);
  expect(
    await sql`select release, file from credits.installation order by file desc limit 1`,
  ).toEqual([{ release: "99.0.0", file: migration.split("/").at(-1) }]);

  const again = await app.run("upgrade", "--yes");
  expect(again).toMatchObject({
    code: 0,
    text: expect.stringMatching(
      /nothing to do[^]*edited these[^]*jobs\/handler/,
    ),
  });
  expect(await app.files()).toEqual(after);
  expect((await app.run("doctor")).text).toMatch(
    /files that you edited: .*answer\.ts/,
  );
});

test("an upgrade that was stopped half way goes on", async () => {
  const [app, whole] = [await editedApp(), await editedApp()];
  await exchange(app, newer.file);
  await exchange(whole, newer.file);
  await app.write(
    `${SOURCES}/generate/answer.ts.new.atomic-credits-half/x`,
    "",
  );
  expect((await app.run("upgrade", "--yes")).code).toBe(1);
  await app.delete(`${SOURCES}/generate/answer.ts.new.atomic-credits-half`);
  expect((await app.run("upgrade", "--yes")).code).toBe(0);
  expect((await whole.run("upgrade", "--yes")).code).toBe(0);
  const contents = async ({ files }: AppFolder) =>
    Object.entries(await files()).filter(([path]) =>
      !path.includes("migrations/") && !path.endsWith("atomic-credits.json")
    );
  expect(await contents(app)).toEqual(await contents(whole));
  expect(await app.run("doctor")).toMatchObject({ code: 0 });
});

test("a release to which no migration leads is refused, and the way is named", async () => {
  const app = await editedApp();
  const before = await app.files();
  await exchange(app, another.file);
  const { code, text } = await app.run("upgrade", "--yes");
  expect(code).toBe(1);
  expect(text).toMatch(
    /no migration leads from it to 99\.0\.1[^]*Nothing was changed\.[^]*remove[^]*docs\/upgrade\.md/,
  );
  expect(await app.files()).toEqual(before);
});

test("where nothing is installed, upgrade names init", async () => {
  const app = await installed.makeApp(EMPTY);
  expect(await app.run("upgrade", "--yes")).toMatchObject({
    code: 1,
    text: expect.stringContaining("npx atomic-credits init"),
  });
  expect(await app.files()).toEqual(EMPTY);
});
