import { build } from "esbuild";
import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import {
  type Contents,
  FILE_PLACEHOLDER,
  sha256,
} from "../../installer/payload.ts";
import { FUNCTION_NAMES } from "../stack/function_names.ts";
import { makeHistory } from "../release/history.ts";
import { fileOf, type Migration, namesMade } from "./book.ts";

/** The types of the database, which the functions import, relative to the project. */
const TYPES = join("supabase", "database.types.ts");

/**
 * Builds the npm package atomic-credits into a folder.
 * @returns the files of its payload, by path
 */
export async function buildInstaller(
  project: string,
  folder: string,
): Promise<Map<string, string>> {
  await rm(folder, { recursive: true, force: true });
  const { fresh, steps } = await makeHistory(project);
  const { release, migrations } = fresh;
  const payload = new Map<string, string>();
  for (const migration of [...migrations, ...steps]) {
    payload.set(`migrations/${migration.name}.sql`, inAnApp(migration));
  }
  await addFunctions(project, payload);
  const read = (file: string) => readFile(join(project, file), "utf8");
  for (const [name, text] of removal(await read("scripts/rollback.sql"))) {
    payload.set(`removal/${name}.sql`, text);
  }
  payload.set("example.env", await read("installer/example.env"));
  const hashOf = ({ name }: Migration) =>
    sha256(payload.get(`migrations/${name}.sql`)!);
  const contents: Contents = {
    release,
    checksum: fresh.checksum,
    functions: FUNCTION_NAMES,
    names: namesMade(migrations.map(({ text }) => text).join("\n")),
    migrations: migrations.map((one) => ({
      name: one.name,
      sha256: hashOf(one),
    })),
    steps: steps.map((one) => ({
      name: one.name,
      sha256: hashOf(one),
      from: one.from,
      to: one.checksum,
    })),
    files: Object.fromEntries(
      [...payload].map(([path, content]) => [path, sha256(content)]),
    ),
  };
  const manifest = JSON.stringify(contents, null, 2) + "\n";
  for (const [path, content] of [...payload, ["manifest.json", manifest]]) {
    const file = join(folder, "payload", path!);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content!);
  }
  await addProgram(project, folder, release);
  return payload;
}

/** A migration as it stands in an app: it has no name yet, and its first line does not send who reads it here. */
function inAnApp(migration: Migration): string {
  const [head = ""] = migration.text.split("\n", 1);
  const what = head.replace(/,? made from .*/, "");
  return `${what}, written by npx atomic-credits: leave it as it is.${
    migration.text.slice(head.length)
  }`.replaceAll(fileOf(migration), FILE_PLACEHOLDER);
}

/** Makes the file that npm publishes; returns its path. */
export async function packInstaller(
  folder: string,
  destination: string,
): Promise<string> {
  await mkdir(destination, { recursive: true });
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { stdout } = await promisify(execFile)(
    npm,
    ["pack", "--json", "--pack-destination", resolve(destination)],
    { cwd: folder },
  );
  const [{ filename }] = JSON.parse(stdout);
  return join(destination, filename);
}

/**
 * The roll back as two migrations. The CLI runs each in a transaction, and both histories keep what
 * was applied: a database that is made anew applies the release and takes it out again.
 */
function removal(rollback: string): [name: string, text: string][] {
  const [, whole, after] =
    /^begin isolation level read committed;\n([^]*)^commit;\n([^]*)$/m
      .exec(rollback)!;
  const removed = whole!.replace(/^do \$forget\$[^]*^\$forget\$;\n/m, "");
  if (removed === whole) throw new Error("the roll back has no part $forget$");
  return [
    [
      "remove_atomic_credits",
      `-- Atomic Credits is taken out, by npx atomic-credits remove.\n${removed}`,
    ],
    [
      "removed_atomic_credits",
      `-- Atomic Credits was taken out: pg_cron is told, in a transaction of its own.\n${after}`,
    ],
  ];
}

/** The functions' sources, what they import beside themselves, and the import map. */
async function addFunctions(
  project: string,
  payload: Map<string, string>,
): Promise<void> {
  const folder = join(project, "functions");
  const files = (await readdir(folder, { recursive: true }))
    .filter((file) => file.endsWith(".ts")).sort();
  for (const file of files) {
    const text = await readFile(join(folder, file), "utf8");
    payload.set(
      `functions/${file.replaceAll("\\", "/")}`,
      // In an app it is beside the functions' folders.
      text.replace(
        /"((?:\.\.\/)+)\.\.\/supabase\/database\.types\.ts"/g,
        '"$1database.types.ts"',
      ),
    );
  }
  payload.set(
    "functions/database.types.ts",
    await readFile(join(project, TYPES), "utf8"),
  );
  const { imports, compilerOptions } = JSON.parse(
    await readFile(join(project, "deno.json"), "utf8"),
  );
  payload.set(
    "functions/deno.json",
    JSON.stringify({ imports, compilerOptions }, null, 2) + "\n",
  );
}

async function addProgram(
  project: string,
  folder: string,
  release: string,
): Promise<void> {
  const source = join(project, "installer");
  const description = JSON.parse(
    await readFile(join(source, "package.json"), "utf8"),
  );
  await build({
    entryPoints: [join(source, "main.ts")],
    outfile: join(folder, "atomic-credits.mjs"),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    banner: { js: "#!/usr/bin/env node" },
    logLevel: "silent",
  });
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ ...description, version: release }, null, 2) + "\n",
  );
  await cp(join(source, "README.md"), join(folder, "README.md"));
  await cp(join(project, "LICENSE"), join(folder, "LICENSE"));
}
