import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { UPGRADES_FOLDER } from "../../scripts/release/forward.ts";
import { freeze } from "../../scripts/release/freeze.ts";
import {
  makeHistory,
  recordedSteps,
  type Step,
  writeHistory,
} from "../../scripts/release/history.ts";
import { raiseVersion } from "../../scripts/release/version.ts";
import {
  DELIVERED_FILE,
  describeDelivered,
} from "../../scripts/test/delivered.ts";
import type { DatabaseServer, FreshDatabase } from "./databases.ts";
import { changeBook, HAND } from "./next_changes.ts";

/** A version that no release of ours will have soon. */
export const NEXT = "99.0.0";
/** Where the next release's hand-written part is. */
export const NEXT_HAND = join(UPGRADES_FOLDER, "29990101000000_next.sql");
const CHANGELOG = "CHANGELOG.md";

/** What a release is made from. */
const SOURCES = [
  "supabase/schemas",
  "supabase/migrations",
  "supabase/upgrades",
  "supabase/database.types.ts",
  "releases",
  "functions",
  "installer",
  "scripts/rollback.sql",
  "deno.json",
  "package.json",
  "package-lock.json",
  "openapi.json",
  "docs/deploy.md",
  "README.md",
  "LICENSE",
  ".squawk.toml",
  ".squawk.upgrades.toml",
  CHANGELOG,
];

/** A copy of the project, whose version is released and whose book goes on. */
export interface ProjectCopy {
  readonly folder: string;
  readonly read: (path: string) => Promise<string>;
  readonly write: (path: string, content: string) => Promise<void>;
  /** Replaces a text in a file, which must be there. */
  readonly edit: (path: string, before: string, after: string) => Promise<void>;
  readonly release: () => Promise<string>;
  readonly remove: () => Promise<void>;
}

/** Copies what a release is made from. */
export async function copyProject(): Promise<ProjectCopy> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-next-"));
  for (const source of SOURCES) {
    await cp(source, join(folder, source), { recursive: true })
      .catch((error) => {
        // Before the first release there are none of these.
        if (!/^(releases|supabase\/upgrades)$/.test(source)) throw error;
      });
  }
  const read = (path: string) => readFile(join(folder, path), "utf8");
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  };
  return {
    folder,
    read,
    write,
    edit: async (path, before, after) => {
      const text = await read(path);
      if (!text.includes(before)) {
        throw new Error(`${path} has no ${JSON.stringify(before)}`);
      }
      await write(path, text.replaceAll(before, () => after));
    },
    release: async () => {
      const draft = await mkdtemp(join(folder, "draft-"));
      return (await freeze(folder, draft)).join("\n");
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Releases the copy as it is, and raises its version. */
export async function beginNext(copy: ProjectCopy): Promise<void> {
  const changelog = await copy.read(CHANGELOG);
  if (!changelog.includes("\n## Unreleased\n")) {
    await copy.write(
      CHANGELOG,
      changelog.replace("\n## ", "\n## Unreleased\n\n## "),
    );
  }
  await copy.release();
  await raiseVersion(copy.folder, NEXT);
}

/**
 * What npm run regenerate does with the SQL: the chapter of what is delivered, then the migration.
 *
 * @param draft a database of the release before; it is upgraded, which is faster than the book is applied
 * @returns what nobody has written by hand, and should have
 */
async function regenerateNext(
  copy: ProjectCopy,
  draft: FreshDatabase,
): Promise<readonly string[]> {
  await copy.write(NEXT_HAND, HAND);
  await writeHistory(copy.folder);
  const { steps } = await makeHistory(copy.folder);
  await draft.sql.begin((tx) => tx.unsafe(steps.at(-1)!.text));
  await copy.write(DELIVERED_FILE, await describeDelivered(draft.url));
  return (await writeHistory(copy.folder)).byHand;
}

/** A release, a later one that changes something of each kind, and what leads from the one to the other. */
export interface NextRelease {
  /** The later release's project; releases/ has the one before. */
  readonly copy: ProjectCopy;
  /** Databases to copy: the release before, and a new installation of the later one. */
  readonly base: FreshDatabase;
  readonly book: FreshDatabase;
  readonly step: Step;
}

/** Makes both. */
export async function prepareNext(
  server: DatabaseServer,
): Promise<NextRelease> {
  const copy = await copyProject();
  await beginNext(copy);
  const first = await server.create();
  await applyBook(copy, first);
  const base = await server.copy(first);
  await changeBook(copy);
  const byHand = await regenerateNext(copy, await server.copy(base));
  if (byHand.length > 0) throw new Error(`by hand: ${byHand.join(", ")}`);
  const book = await server.create();
  await applyBook(copy, book);
  const step = (await makeHistory(copy.folder)).steps.at(-1)!;
  return { copy, base, book, step };
}

/** Installs the book of a copy, as if its releases before had never been there. */
export async function applyBook(
  { folder }: ProjectCopy,
  { url }: FreshDatabase,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const history = await makeHistory(folder);
    const migrations = [...history.fresh.migrations, ...recordedSteps(history)];
    for (const { text } of migrations) {
      await sql.begin((tx) => tx.unsafe(text));
    }
  } finally {
    await sql.end();
  }
}
