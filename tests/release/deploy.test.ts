import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { makeBundle, makeBundleFile } from "../../scripts/deploy/bundle.ts";
import {
  buildInstaller,
  packInstaller,
} from "../../scripts/deploy/installer.ts";
import { makeHistory, type Step } from "../../scripts/release/history.ts";
import { readReleases } from "../../scripts/release/kept.ts";
import { supabaseCli } from "../../scripts/stack/migrate.ts";
import { readCatalog } from "../support/catalog.ts";
import {
  type DatabaseServer,
  type FreshDatabase,
  startDatabaseServer,
} from "../support/databases.ts";
import {
  EMPTY,
  exchange,
  installerOf,
  type PackedInstaller,
} from "../support/installer.ts";
import {
  NEXT,
  type NextRelease,
  prepareNext,
} from "../support/next_release.ts";
import {
  fillWithData,
  findTroubles,
  readBooks,
} from "../support/release_data.ts";
import { callEverything } from "../support/release_calls.ts";
import {
  type ReleaseStack,
  startReleaseStack,
} from "../support/release_stack.ts";
import { differences } from "../support/upgrade.ts";

let server: DatabaseServer;
let next: NextRelease;
let released: PackedInstaller;
let newer: string;
beforeAll(async () => {
  server = await startDatabaseServer();
  next = await prepareNext(server);
  const { folder } = next.copy;
  const { installer } = (await readReleases(folder)).at(-1)!;
  released = await installerOf(join(folder, "releases", installer.file));
  await buildInstaller(folder, join(folder, "dist"));
  newer = await packInstaller(join(folder, "dist"), folder);
});
afterAll(async () => {
  await server.stop();
  await released.remove();
  await next.copy.remove();
});

async function push(folder: string, { url }: FreshDatabase): Promise<string> {
  const { status, stdout, stderr } = await supabaseCli(
    ["db", "push", `--remote=${url}`, "--yes"],
    folder,
  );
  expect(status, stdout + stderr).toBe(0);
  return stdout + stderr;
}

async function expectNext({ sql }: FreshDatabase): Promise<void> {
  expect(
    differences(
      await readCatalog((await server.copy(next.book)).sql),
      await readCatalog(sql),
    ).filter((line) => !/supabase_migrations/.test(line)),
  ).toEqual([]);
  expect(await findTroubles(sql)).toEqual([]);
  expect(await sql`select credits.installed_release() as release`)
    .toEqual([{ release: NEXT }]);
}

describe("an installation of the last release", () => {
  test("is upgraded by the installer with one further migration", async () => {
    const app = await released.makeApp(EMPTY);
    await app.run("init", "--yes");
    const database = await server.create();
    await push(app.folder, database);
    await fillWithData(database.url);
    const before = await readBooks(database.sql);
    const files = await app.files();

    await exchange(app, newer);
    const run = await app.run("upgrade", "--yes");
    expect(run.code, run.text).toBe(0);
    const after = await app.files();
    const migrations = Object.keys(after).filter((path) =>
      path.includes("/migrations/")
    );
    const added = migrations.filter((path) => !(path in files));
    expect(added).toEqual([expect.stringMatching(/\/\d{14}_next\.sql$/)]);
    expect(migrations).toHaveLength(3);
    expect(after[added[0]!]).toContain(added[0]!.split("/").at(-1));
    await push(app.folder, database);
    await expectNext(database);
    expect(await readBooks(database.sql)).toEqual(before);

    expect(await app.run("upgrade", "--yes")).toMatchObject({
      code: 0,
      text: expect.stringContaining("nothing to do"),
    });
    expect(await app.run("doctor")).toMatchObject({ code: 0 });
    // Where the manifest is lost, the migrations say which release they are of.
    await app.delete("supabase/atomic-credits.json");
    expect(await app.run("init", "--yes")).toMatchObject({ code: 0 });
    expect(Object.keys(await app.files()).sort())
      .toEqual(Object.keys(after).sort());
  });

  test("is upgraded by the bundle, once", async () => {
    const database = await server.copy(next.base);
    const file = await makeBundleFile(next.copy.folder);
    for (let round = 0; round < 2; round++) {
      await database.sql.unsafe(file);
      await expectNext(database);
    }
    expect(await push(next.copy.folder, database)).toContain("up to date");
    await database.sql`delete from supabase_migrations.schema_migrations`;
    await database.sql.unsafe(file);
    expect(await push(next.copy.folder, database)).toContain("up to date");

    await database.sql.unsafe(await readFile("scripts/rollback.sql", "utf8"));
    expect(
      await database
        .sql`select to_regnamespace('credits') as ours, to_regclass('public.operator_cases') as theirs`,
    ).toEqual([{ ours: null, theirs: null }]);
    expect(
      await database
        .sql`select version from supabase_migrations.schema_migrations`,
    ).toEqual([]);
  });

  test("is upgraded by db push from the repository", async () => {
    const database = await server.create();
    await push(process.cwd(), database);
    expect(await push(next.copy.folder, database)).toContain("_next.sql");
    await expectNext(database);
  });
});

describe("the next release where nothing is installed", () => {
  test("is one migration by the installer, and one statement by the bundle", async () => {
    const app = await released.makeApp(EMPTY);
    await exchange(app, newer);
    await app.run("init", "--yes");
    const names = Object.keys(await app.files()).filter((path) =>
      path.includes("/migrations/")
    );
    expect(names).toEqual([
      expect.stringMatching(/\d_atomic_credits\.sql$/),
      expect.stringMatching(/\d_atomic_credits_schedule\.sql$/),
    ]);
    const database = await server.create();
    await database.sql.unsafe(await makeBundleFile(next.copy.folder));
    await expectNext(database);
    expect(await push(next.copy.folder, database)).toContain("up to date");
  });
});

test("an installation before 0.9.0 is refused, and told the way", async () => {
  const app = await released.makeApp(EMPTY);
  await app.run("init", "--yes");
  const manifest = JSON.parse(await app.read("supabase/atomic-credits.json"));
  await app.write(
    "supabase/atomic-credits.json",
    JSON.stringify({ ...manifest, release: "0.1.0", checksum: undefined }),
  );
  await exchange(app, newer);
  const { code, text } = await app.run("upgrade", "--yes");
  expect(code).toBe(1);
  expect(text).toMatch(
    /Release 0\.1\.0 is installed: no migration leads from it to 99\.0\.0[^]*docs\/upgrade\.md/,
  );

  const { sql } = await server.copy(next.base);
  await sql`update credits.installation set release = '0.1.0', checksum = ${
    "1".repeat(64)
  }`;
  await expect(sql.unsafe(await makeBundle(next.copy.folder))).rejects
    .toMatchObject({
      message: expect.stringContaining("release 0.1.0"),
      hint: expect.stringContaining("docs/upgrade.md"),
    });
});

describe("SQL and functions of two releases that follow each other", () => {
  // A deployment is not one moment.
  const opened: (PackedInstaller | ReleaseStack)[] = [];
  beforeAll(() => {
    // The Data API prints every error of the database with its stack.
    vi.spyOn(console, "error").mockImplementation(() => {});
  });
  afterAll(async () => {
    for (const one of opened) {
      await ("stop" in one ? one.stop() : one.remove());
    }
  });

  /** What leads on from the last release. */
  async function openSteps(project: string): Promise<readonly Step[]> {
    const { steps } = await makeHistory(project);
    const last = (await readReleases(project)).at(-1);
    return steps.filter(({ from }) => from === last?.checksum);
  }

  /** The functions that a release's packed installer writes. */
  async function functionsOf(project: string, at: number): Promise<string> {
    const kept = (await readReleases(project)).at(at)!;
    const packed = await installerOf(
      join(project, "releases", kept.installer.file),
    );
    opened.push(packed);
    const app = await packed.makeApp(EMPTY);
    const { code, text } = await app.run("init", "--yes");
    expect(code, text).toBe(0);
    return app.folder;
  }

  async function expectSound(migrations: readonly string[], app?: string) {
    const two = await startReleaseStack(migrations, app);
    opened.push(two);
    const answers = await callEverything(two);
    expect(answers).toMatchObject({
      quote: [200, { cost: 500 }],
      generated: [200, { cost: 500, balance: 4500 }],
      failed: [502, { refunded: 500 }],
      shown: [200, { status: "succeeded", cost: 500 }],
      credits: [200, { balance: 4500 }],
      streamed: [200, {
        text: expect.stringMatching(/data: \{[^]*data: \[DONE\]/),
      }],
      bought: [200, { data: [{ credits: 1000 }] }],
      wrong: [],
    });
    expect(answers.checks).toBeGreaterThan(40);
  }

  const textsOf = (files: readonly { text: string }[]) =>
    files.map(({ text }) => text);

  test("the functions of a release work on the SQL of the next", async () => {
    // The project's own next release while it is being made, otherwise the artificial one.
    const project = (await openSteps(process.cwd())).length > 0
      ? process.cwd()
      : next.copy.folder;
    const { files } = await makeHistory(project);
    await expectSound(textsOf(files), await functionsOf(project, -1));
  });

  test("the functions as they are work on the SQL of the last release", async () => {
    const { files } = await makeHistory(process.cwd());
    const open = await openSteps(process.cwd());
    await expectSound(textsOf(files.slice(0, files.length - open.length)));
  });
});
