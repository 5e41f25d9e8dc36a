import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  fileOf,
  makeRelease,
  type Migration,
  MIGRATIONS_FOLDER,
  recordOf,
  type Release,
} from "../deploy/book.ts";
import { beginHand, makeForward } from "./forward.ts";
import { readReleases } from "./kept.ts";

/** A migration that leads from one release to the next. */
export interface Step extends Migration {
  /** The checksum of the release that it begins at. */
  readonly from: string;
  readonly release: string;
  readonly checksum: string;
}

/** What supabase/migrations holds, and what a new installation needs of it. */
export interface History {
  /** The release as one installation of the book. */
  readonly fresh: Release;
  /** From the first release to this one, in order. */
  readonly steps: readonly Step[];
  /** The files: the first release's, then the steps. */
  readonly files: readonly Migration[];
  /** What only a person can write for the last step, and has not. */
  readonly byHand: readonly string[];
}

/** For a draft: a version that is released, and a hand-written file that nobody has begun, are no errors. */
export interface HistoryOptions {
  readonly draft?: boolean;
}

/**
 * The history of a project: what is released as it stands there, and the way from the last release to the book.
 * @throws where the book changed after its version was released
 */
export async function makeHistory(
  project: string,
  { draft = false }: HistoryOptions = {},
): Promise<History> {
  const fresh = await makeRelease(project);
  const releases = await readReleases(project);
  const [first, ...later] = releases;
  if (!first) {
    return { fresh, steps: [], files: fresh.migrations, byHand: [] };
  }
  const base = await Promise.all(
    first.migrations.map(({ file }) => readMigration(project, file)),
  );
  const steps: Step[] = [];
  let from = first.checksum;
  for (const { release, checksum, migrations } of later) {
    for (const { file } of migrations) {
      steps.push({
        ...await readMigration(project, file),
        from,
        release,
        checksum,
      });
    }
    from = checksum;
  }
  const last = releases.at(-1)!;
  let byHand: readonly string[] = [];
  if (last.checksum !== fresh.checksum) {
    if (last.release === fresh.release && !draft) {
      throw new Error(
        `${fresh.release} is released, and the book is another one now.\nRaise the version first: npm run release -- --next <version>. Then: npm run regenerate.`,
      );
    }
    const forward = await makeForward(project, last, fresh, draft);
    byHand = forward.byHand;
    const { release, checksum } = fresh;
    steps.push({ ...forward.migration, from, release, checksum });
  }
  return { fresh, steps, files: [...base, ...steps], byHand };
}

/** The steps for a new installation: recorded, since the book has what they bring. */
export function recordedSteps({ fresh, steps }: History): Migration[] {
  return steps.map(({ version, name }) => ({
    version,
    name,
    text:
      `-- Atomic Credits ${fresh.release}: a new installation has had this from its first migration on.\n${
        recordOf(fresh, { version, name })
      }`,
  }));
}

/** Writes what a new installation applies into a folder. */
export async function writeFresh(
  project: string,
  folder: string,
): Promise<void> {
  const history = await makeHistory(project, { draft: true });
  await write(folder, [...history.fresh.migrations, ...recordedSteps(history)]);
}

/**
 * Writes supabase/migrations: the whole of the book before its first release, later the open step alone.
 * @returns the names of the files
 */
export async function writeHistory(
  project: string,
): Promise<{ files: string[]; byHand: readonly string[] }> {
  const folder = join(project, MIGRATIONS_FOLDER);
  await beginHand(project);
  const { files, byHand } = await makeHistory(project);
  const released = (await readReleases(project)).flatMap(({ migrations }) =>
    migrations.map(({ file }) => file)
  );
  const open = files.filter((file) => !released.includes(fileOf(file)));
  await write(folder, open);
  for (const file of await readdir(folder)) {
    const stays = files.some((one) => fileOf(one) === file);
    if (!stays && !released.includes(file)) await rm(join(folder, file));
  }
  return { files: open.map(fileOf), byHand };
}

async function write(
  folder: string,
  migrations: readonly Migration[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const migration of migrations) {
    await writeFile(join(folder, fileOf(migration)), migration.text);
  }
}

async function readMigration(
  project: string,
  file: string,
): Promise<Migration> {
  const [, version = "", name = ""] = /^(\d+)_(.*)\.sql$/.exec(file) ?? [];
  const text = await readFile(join(project, MIGRATIONS_FOLDER, file), "utf8");
  return { version, name, text };
}
