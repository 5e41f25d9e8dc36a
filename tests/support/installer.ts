import { type ChildProcess, spawn } from "node:child_process";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { extract } from "tar";
import { type Contents, sha256 } from "../../installer/payload.ts";
import {
  buildInstaller,
  packInstaller,
} from "../../scripts/deploy/installer.ts";

/** What an empty Supabase project has. */
export const EMPTY = {
  "supabase/config.toml": `# My app.
project_id = "my-app" # as in the dashboard

[db]
major_version = 17
`,
};

/** Says its version to init, which otherwise starts the program. */
const CLI = { "node_modules/supabase/package.json": '{"version":"3.1.0"}' };

/** A project of somebody's, in a folder of its own, with the packed installer. */
export interface AppFolder {
  readonly folder: string;
  /** Runs npx atomic-credits, without a terminal. */
  readonly run: (...args: string[]) => Promise<InstallerRun>;
  /** The same, to be interfered with. */
  readonly start: (...args: string[]) => StartedInstaller;
  readonly read: (path: string) => Promise<string>;
  readonly write: (path: string, content: string) => Promise<void>;
  readonly delete: (path: string) => Promise<void>;
  /** Every file but node_modules, by path, with its content. */
  readonly files: () => Promise<Record<string, string>>;
}

/** How a run of the installer ended. */
export interface InstallerRun {
  readonly code: number | null;
  /** Both outputs. */
  readonly text: string;
}

/** A run that has not ended. */
export interface StartedInstaller {
  readonly process: ChildProcess;
  readonly ended: Promise<InstallerRun>;
}

/** The packed file, from which apps are made. */
export interface PackedInstaller {
  readonly file: string;
  /** Makes a project that has these files. */
  readonly makeApp: (files: Record<string, string>) => Promise<AppFolder>;
  readonly remove: () => Promise<void>;
}

/**
 * Builds and packs the installer.
 * @param change what is changed in the built package before it is packed
 */
export async function packTheInstaller(
  change: (folder: string) => Promise<void> = async () => {},
): Promise<PackedInstaller> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-installer-"));
  const folder = join(home, "build");
  await buildInstaller(process.cwd(), folder);
  await change(folder);
  return installerIn(home, await packInstaller(folder, home));
}

/** A file that was packed before. */
export async function installerOf(file: string): Promise<PackedInstaller> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-installer-"));
  return installerIn(home, file);
}

function installerIn(home: string, file: string): PackedInstaller {
  let made = 0;
  return {
    file,
    makeApp: (files) => makeApp(join(home, `app-${made++}`), file, files),
    remove: () => rm(home, { recursive: true }),
  };
}

/** Puts a packed installer in the place of the one that an app has, as npx does with another version. */
export async function exchange(app: AppFolder, file: string): Promise<void> {
  const place = join(app.folder, "node_modules", "atomic-credits");
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  await extract({ file, cwd: place, strip: 1 });
}

async function makeApp(
  folder: string,
  file: string,
  files: Record<string, string>,
): Promise<AppFolder> {
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  };
  for (const [path, content] of Object.entries({ ...CLI, ...files })) {
    await write(path, content);
  }
  const app: AppFolder = {
    folder,
    run: (...args) => start(folder, args).ended,
    start: (...args) => start(folder, args),
    read: (path) => readFile(join(folder, path), "utf8"),
    write,
    delete: (path) => rm(join(folder, path), { recursive: true }),
    files: () => readAll(folder),
  };
  await exchange(app, file);
  const { dependencies } = JSON.parse(
    await app.read("node_modules/atomic-credits/package.json"),
  );
  for (const name of Object.keys(dependencies)) {
    const place = join(folder, "node_modules", name);
    await mkdir(dirname(place), { recursive: true });
    await symlink(join(process.cwd(), "node_modules", name), place);
  }
  await chmod(program(folder), 0o755);
  return app;
}

function program(folder: string): string {
  return join(folder, "node_modules", "atomic-credits", "atomic-credits.mjs");
}

function start(folder: string, args: string[]): StartedInstaller {
  const {
    SUPABASE_URL: _,
    SUPABASE_SECRET_KEY: __,
    SUPABASE_PUBLISHABLE_KEY: ___,
    ...env
  } = process.env;
  const child = spawn(process.execPath, [program(folder), ...args], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => text += chunk);
  child.stderr.on("data", (chunk) => text += chunk);
  const ended = new Promise<InstallerRun>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, text }));
  });
  return { process: child, ended };
}

async function readAll(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, {
    recursive: true,
    withFileTypes: true,
  });
  const files = entries.filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith("node_modules")).sort();
  return Object.fromEntries(
    await Promise.all(
      files.map(async (path) => [
        path,
        await readFile(join(folder, path), "utf8"),
      ]),
    ),
  );
}

/** What another release has: its SQL's checksum, files of the payload with other content, or none, and what leads to it. */
export interface Difference {
  readonly release: string;
  readonly checksum?: string;
  readonly files?: Record<string, string | undefined>;
  readonly steps?: Record<string, string>;
}

/** Makes another release of a built package. */
export function alter(
  { release, checksum, files = {}, steps = {} }: Difference,
): (folder: string) => Promise<void> {
  return async (folder) => {
    const place = (path: string) => join(folder, "payload", path);
    const contents: Contents = JSON.parse(
      await readFile(place("manifest.json"), "utf8"),
    );
    const hashes: Record<string, string> = { ...contents.files };
    const all = {
      ...files,
      ...Object.fromEntries(
        Object.entries(steps)
          .map(([name, text]) => [`migrations/${name}.sql`, text]),
      ),
    };
    for (const [path, content] of Object.entries(all)) {
      if (content === undefined) {
        await rm(place(path));
        delete hashes[path];
        continue;
      }
      await writeFile(place(path), content);
      hashes[path] = sha256(content);
    }
    const altered: Contents = {
      ...contents,
      release,
      checksum: checksum ?? contents.checksum,
      files: hashes,
      migrations: contents.migrations.map(({ name }) => ({
        name,
        sha256: hashes[`migrations/${name}.sql`]!,
      })),
      steps: [
        ...contents.steps,
        ...Object.keys(steps).map((name) => ({
          name,
          sha256: hashes[`migrations/${name}.sql`]!,
          from: contents.checksum,
          to: checksum ?? contents.checksum,
        })),
      ],
    };
    await writeFile(place("manifest.json"), JSON.stringify(altered));
    const description = JSON.parse(
      await readFile(join(folder, "package.json"), "utf8"),
    );
    await writeFile(
      join(folder, "package.json"),
      JSON.stringify({ ...description, version: release }),
    );
  };
}
