import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeDeclarations } from "./declarations.ts";

/** What an app can import: files of client/. */
const ENTRIES = ["index", "react", "operators"];

/** Writes the package as npm takes it: JavaScript, declarations, package.json, page and licence. */
export async function buildClient(
  project: string,
  folder: string,
): Promise<void> {
  const entries = ENTRIES.map((name) => join(project, "client", `${name}.ts`));
  await build({
    entryPoints: entries,
    outdir: folder,
    bundle: true,
    // What two entries have in common is one file: CreditsError is one class.
    splitting: true,
    chunkNames: "shared-[hash]",
    format: "esm",
    platform: "neutral",
    target: "es2022",
    external: ["node:process"],
    packages: "external",
    legalComments: "none",
  });
  await writeDeclarations(project, entries, join(folder, "types"));
  const manifest = readJson(join(project, "client", "package.json"));
  const { version } = readJson(join(project, "package.json"));
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ version, ...manifest }, null, 2) + "\n",
  );
  await copyFile(join(project, "LICENSE"), join(folder, "LICENSE"));
  await copyFile(
    join(project, "client", "README.md"),
    join(folder, "README.md"),
  );
}

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, "utf8"));
}
