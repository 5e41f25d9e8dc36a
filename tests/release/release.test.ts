import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeHistory, writeHistory } from "../../scripts/release/history.ts";
import { raiseVersion } from "../../scripts/release/version.ts";
import { checkMigrations } from "../../scripts/test/migrations.ts";
import {
  beginNext,
  copyProject,
  NEXT,
  NEXT_HAND,
  type ProjectCopy,
} from "../support/next_release.ts";

const FIRST = "98.0.0";
const SCHEMA = "supabase/migrations/20260101000100_atomic_credits.sql";
const CHAPTER = "supabase/schemas/03_ledger/30_debts.sql";
const HEADS = /^## .*$/gm;

let project: ProjectCopy;
beforeAll(async () => {
  project = await copyProject();
  await raiseVersion(project.folder, FIRST);
  await writeHistory(project.folder);
});
afterAll(() => project.remove());

describe("npm run release", () => {
  test("keeps what it releases, and does nothing a second time", async () => {
    const log = await project.read("CHANGELOG.md");
    expect(log.match(HEADS)![0]).toBe("## Unreleased");
    expect(await project.release()).toMatch(/^98\.0\.0 is released\.\nwrote /);
    const heads = (await project.read("CHANGELOG.md")).match(HEADS)!;
    expect(heads[0]).toMatch(/^## 98\.0\.0 \(\d{4}-\d\d-\d\d\)$/);
    const kept = await readdir(join(project.folder, "releases"));
    expect(kept).toEqual(expect.arrayContaining([
      "98.0.0.json",
      "atomic-credits-98.0.0.tgz",
    ]));
    expect(await checkMigrations(project.folder)).toMatchObject({ failed: 0 });

    expect(await project.release())
      .toBe("98.0.0 is released already: nothing to do.");
    expect(await readdir(join(project.folder, "releases"))).toEqual(kept);
  });

  test("refuses a version that is released where SQL or functions changed since", async () => {
    const path = "functions/_shared/moment.ts";
    const source = await project.read(path);
    await project.write(path, `${source}\n`);
    await expect(project.release()).rejects.toThrow(
      /98\.0\.0 is released, and something changed since: functions\/_shared\/moment\.ts\.[^]*npm run release -- --next/,
    );
    await project.write(path, source);

    const chapter = await project.read(CHAPTER);
    await project.write(CHAPTER, `${chapter}\n-- Changed.\n`);
    const refusal =
      /98\.0\.0 is released, and the book is another one now\.[^]*npm run release -- --next/;
    await expect(project.release()).rejects.toThrow(refusal);
    await expect(writeHistory(project.folder)).rejects.toThrow(refusal);
    await project.write(CHAPTER, chapter);
  });

  test("a released migration that is edited fails the tests, with what to do", async () => {
    const text = await project.read(SCHEMA);
    await project.write(SCHEMA, `${text}\n`);
    const { failed, report } = await checkMigrations(project.folder);
    expect([failed, report]).toEqual([
      1,
      expect.stringMatching(
        /20260101000100_atomic_credits\.sql was released with [\d.]+ and is another one now\.[^]*supabase\/schemas[^]*npm run regenerate/,
      ),
    ]);
    await project.write(SCHEMA, text);
  });

  test("a version is raised where it stands, and only upwards", async () => {
    await beginNext(project);
    for (
      const file of [
        "package.json",
        "package-lock.json",
        "installer/package.json",
        "openapi.json",
      ]
    ) {
      expect(await project.read(file), file).toContain(`"version": "${NEXT}"`);
    }
    expect(await project.read("docs/deploy.md"))
      .toContain(`atomic-credits-${NEXT}.tgz`);
    expect((await project.read("CHANGELOG.md")).match(HEADS)![0])
      .toBe("## Unreleased");
    await expect(raiseVersion(project.folder, FIRST)).rejects.toThrow(
      "98.0.0 is no version after 99.0.0",
    );
  });

  test("no migration is made while the book is the last release's", async () => {
    const before = await readdir(join(project.folder, "supabase/migrations"));
    expect(await writeHistory(project.folder))
      .toEqual({ files: [], byHand: [] });
    expect(await readdir(join(project.folder, "supabase/migrations")))
      .toEqual(before);
  });

  test("a change begins a file for what is written by hand, which stays", async () => {
    await project.edit(CHAPTER, "-- Gives:", "-- Gives, now:");
    const { files } = await writeHistory(project.folder);
    expect(files).toEqual([
      expect.stringMatching(/^\d{14}_atomic_credits_99_0_0\.sql$/),
    ]);
    const hand = join("supabase/upgrades", files[0]!);
    await project.edit(hand, "-- part 3", "select 'mine';\n\n-- part 3");
    expect(await checkMigrations(project.folder)).toMatchObject({ failed: 1 });
    await writeHistory(project.folder);
    expect(await project.read(hand)).toContain("select 'mine';");
    expect(await project.read(join("supabase/migrations", files[0]!)))
      .toContain("select 'mine';");
    expect(await checkMigrations(project.folder)).toMatchObject({ failed: 0 });

    await project.write(NEXT_HAND, "");
    await expect(makeHistory(project.folder)).rejects.toThrow(
      "put both into one file",
    );
  });
});
