import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Refusal } from "./refusal.ts";

export const CONFIG = "supabase/config.toml";
export const CONFIG_BACKUP = "supabase/config.toml.before-atomic-credits";
export const EXAMPLE_ENVIRONMENT = ".env.example";
export const FUNCTIONS = "supabase/functions";
/** Where the functions' sources are. */
export const SOURCES = `${FUNCTIONS}/_atomic_credits`;
export const MANIFEST = "supabase/atomic-credits.json";
export const MIGRATIONS = "supabase/migrations";

/** What is installed in an app's folder: its supabase/atomic-credits.json. */
export interface Manifest {
  readonly release: string;
  /** SHA-256 of the release's SQL; releases before 0.9.0 did not write it. */
  readonly checksum?: string;
  readonly prefix: string;
  /** The functions' names, without the prefix. */
  readonly functions: readonly string[];
  /** Each migration of the payload and the file that it was written as. */
  readonly migrations: readonly {
    name: string;
    sha256: string;
    file: string;
  }[];
  /** SHA-256 of each file as it was written. */
  readonly files: Readonly<Record<string, string>>;
  /** The same of the release before, while an upgrade is being written. */
  readonly before?: Readonly<Record<string, string>>;
  /** The migrations that take it out again, once that was begun. */
  readonly removal?: readonly string[];
}

/** The project that the command runs in. */
export interface App {
  readonly folder: string;
  readonly config: string;
  readonly manifest?: Manifest;
  /** Names of the files in supabase/migrations, in order. */
  readonly migrations: readonly string[];
  /** A file's content; undefined where there is none. */
  read(path: string): string | undefined;
  /** Whether there is a file or folder. */
  has(path: string): boolean;
}

/**
 * Reads an app's folder.
 * @throws {Refusal} where there is no Supabase project
 */
export function readApp(folder: string): App {
  const has = (path: string) => existsSync(join(folder, path));
  const read = (path: string) =>
    has(path) ? readFileSync(join(folder, path), "utf8") : undefined;
  const config = read(CONFIG);
  if (config === undefined) {
    throw new Refusal(`There is no ${CONFIG} in ${folder}.`, [
      "Run this in the folder of your Supabase project, or make one first: npx supabase init",
    ]);
  }
  const migrations = has(MIGRATIONS)
    ? readdirSync(join(folder, MIGRATIONS)).filter((file) =>
      /^\d+_.*\.sql$/.test(file)
    ).sort()
    : [];
  return { folder, config, manifest: manifestOf(read), migrations, has, read };
}

function manifestOf(
  read: (path: string) => string | undefined,
): Manifest | undefined {
  const text = read(MANIFEST);
  if (text === undefined) return undefined;
  try {
    const manifest: Manifest = JSON.parse(text);
    if (manifest.files && manifest.migrations) return manifest;
  } catch {
    // told below
  }
  throw new Refusal(`${MANIFEST} cannot be read.`, [
    "It says what is installed. Get it back from your version control; or delete it, and run npx atomic-credits init.",
  ]);
}
