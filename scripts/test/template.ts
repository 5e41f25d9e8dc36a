import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installBinaries } from "../stack/binaries.ts";
import { openHome, projectHome, removeHome } from "../stack/home.ts";
import { freePort } from "../stack/port.ts";
import { MIGRATIONS_FOLDER } from "../deploy/book.ts";
import { writeFresh } from "../release/history.ts";
import { pushMigrations } from "../stack/migrate.ts";
import { startPostgres } from "../stack/postgres.ts";
import { commandOf } from "../stack/process.ts";
import { executeScript, prepareServices } from "./prepare.ts";

/** What a copied database holds: a Supabase project before our migrations, or after them. */
export type Content = "fresh" | "migrated";

/** For a migrated copy: a template may be days old, and no task has missed its time since. */
export const MIGRATED_NOW =
  "update public.credit_scheduled_tasks set created_at = now()";

/** What a template is made from: when one of these changes, it is made anew. */
const SOURCES = [
  "supabase/schemas",
  "supabase/config.toml",
  "package.json",
  "scripts/deploy/book.ts",
  "scripts/release/history.ts",
  "releases",
  "scripts/stack",
  "scripts/test/prepare.ts",
  "scripts/test/template.ts",
  "package-lock.json",
];

/**
 * Fills a home with Postgres' programs and a database, by copying a template
 * instead of making both: a tenth of a second instead of two. The template is
 * kept between runs.
 *
 * @param path an empty or missing folder
 */
export async function fillHome(path: string, content: Content): Promise<void> {
  const template = await findTemplate();
  openHome(path);
  symlinkSync(join(template, "postgres"), join(path, "postgres"));
  copyData(join(template, content), path);
}

/** Copies a stopped server's data from home to home, as who owns it. */
function copyData(from: string, to: string): void {
  execFileSync("cp", ["-a", join(from, "data"), join(to, "data")], {
    ...openHome(to).identity,
    cwd: to,
  });
}

let found: Promise<string> | undefined;

/** The template's folder, which is made first if it is missing. */
export function findTemplate(): Promise<string> {
  return found ??= makeTemplate(process.cwd());
}

/** Removes the templates of a checkout that is used only once. */
export function removeTemplates(): void {
  removeHome(templatesHome(process.cwd()));
  removeHome(fleetHome(process.cwd()));
}

/** Where the data of test fleets is kept. */
export function fleetHome(project: string): string {
  return `${projectHome(project)}-fleet`;
}

function templatesHome(project: string): string {
  return `${projectHome(project)}-test`;
}

function makeTemplate(project: string): Promise<string> {
  return keptFolder(
    templatesHome(project),
    fingerprint(project),
    async (draft) => {
      await installBinaries(draft);
      await makeDatabase(project, draft, "fresh");
      await makeDatabase(project, draft, "migrated");
    },
  );
}

/**
 * A folder that is made once and kept between runs, until another name is asked for.
 *
 * @param make fills a draft of it
 */
export async function keptFolder(
  path: string,
  name: string,
  make: (draft: string) => Promise<void>,
): Promise<string> {
  const { path: home } = openHome(path);
  const folder = join(home, name);
  if (existsSync(folder)) return folder;
  const draft = join(home, `${name}.${process.pid}`);
  for (const old of readdirSync(home)) {
    if (old !== name && isAbandoned(old)) removeHome(join(home, old));
  }
  try {
    openHome(draft);
    await make(draft);
    finish(draft, folder);
  } finally {
    removeHome(draft);
  }
  return folder;
}

/** Puts a template in its place, unless another process was faster. */
function finish(draft: string, folder: string): void {
  try {
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

/** A template of other sources, or one that was never finished; not one that another process is making. */
function isAbandoned(name: string): boolean {
  const maker = /\.(\d+)$/.exec(name)?.[1];
  return !maker || !commandOf(Number(maker));
}

/** Makes one of the two data folders; the second begins as a copy of the first. */
async function makeDatabase(
  project: string,
  template: string,
  content: Content,
): Promise<void> {
  const { path: home } = openHome(join(template, content));
  symlinkSync(join(template, "postgres"), join(home, "postgres"));
  if (content === "migrated") copyData(join(template, "fresh"), home);
  const server = await startPostgres({ home, port: await freePort() });
  try {
    if (content === "migrated") await applyBook(project, server.url());
    else await prepareProject(server.url("supabase_admin"), home);
  } finally {
    await server.stop();
  }
}

/** Applies the book as it is now, not as the committed migrations are: a step of its own compares these. */
async function applyBook(project: string, url: string): Promise<void> {
  const draft = await mkdtemp(join(tmpdir(), "atomic-credits-book-"));
  try {
    await writeFresh(project, join(draft, MIGRATIONS_FOLDER));
    const config = join("supabase", "config.toml");
    await copyFile(join(project, config), join(draft, config));
    await pushMigrations(draft, url);
  } finally {
    await rm(draft, { recursive: true });
  }
}

/** Makes what a Supabase project has before our migrations, and pgTAP. */
async function prepareProject(url: string, home: string): Promise<void> {
  await prepareServices(url, home);
  await executeScript(url, "create extension pgtap schema extensions");
}

/** A name that changes with what the template is made from. */
export function fingerprint(project: string): string {
  const hash = createHash("sha256");
  for (const source of SOURCES) {
    for (const file of filesOf(join(project, source))) {
      hash.update(readFileSync(file));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** The files below a folder in the order of their names; of a file itself; none where nothing is. */
function filesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" }).sort()
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());
}
