import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  type Dirent,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A page to build. */
export interface PageSources {
  project: string;
  /** Its folder, by its path in the project. */
  folder: string;
  /** The path that it is served below: begins and ends with a slash. */
  base: string;
  /** What it is told in import.meta.env: names begin with VITE_. */
  variables: Record<string, string>;
  /** Where built pages are kept. */
  cache: string;
}

const BUILDER = fileURLToPath(new URL("build.mjs", import.meta.url));
/** What a page may have beside its sources, where somebody has worked in its folder. */
const NO_SOURCES = ["node_modules", "dist"];

/**
 * Builds a page, in about half a second; one that has been built of the same sources is taken as it is.
 *
 * @returns the folder with its files
 * @throws with what Vite says
 */
export async function buildPage(sources: PageSources): Promise<string> {
  const { project, folder, base, variables, cache } = sources;
  const root = join(project, folder);
  const name = basename(folder);
  const built = join(cache, `${name}-${digestOf(sources)}`);
  if (existsSync(built)) return built;
  mkdirSync(cache, { recursive: true });
  const outDir = join(cache, `${name}.new`);
  const client = join(project, "client");
  const argument = JSON.stringify({ root, outDir, base, client });
  const { PATH, HOME } = process.env;
  await run(process.execPath, [BUILDER, argument], {
    cwd: project,
    env: { PATH, HOME, NODE_ENV: "production", ...variables },
  });
  for (const earlier of readdirSync(cache)) {
    if (earlier.startsWith(`${name}-`)) {
      rmSync(join(cache, earlier), { recursive: true, force: true });
    }
  }
  renameSync(outDir, built);
  return built;
}

/** Of everything that the page follows from. */
function digestOf({ project, folder, base, variables }: PageSources): string {
  const lock = join(project, "package-lock.json");
  const files = [
    ...filesBelow(join(project, folder)),
    ...filesBelow(join(project, "client")),
    BUILDER,
    lock,
  ];
  const hash = createHash("sha256").update(JSON.stringify([base, variables]));
  for (const file of files) {
    hash.update(`\0${relative(project, file)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Files below a folder, in the order of their names. */
export function filesBelow(folder: string): string[] {
  const byName = (a: Dirent, b: Dirent) => a.name < b.name ? -1 : 1;
  return readdirSync(folder, { withFileTypes: true }).sort(byName)
    .filter(({ name }) => !NO_SOURCES.includes(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}
