import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Says, beside the built files, what they were made from. */
export const MARK = "made-from.txt";

/** What the pages are made from, beside the folder's own files. */
const OTHERS = ["build.ts", "policy.ts"];

/** A fingerprint of everything that the pages are made from. */
export function consoleSources(project: string): string {
  const folder = join(project, "console");
  const names = readdirSync(folder)
    .filter((name) => name.includes(".") && name !== "node_modules");
  const sources = readdirSync(join(folder, "src"), {
    recursive: true,
    encoding: "utf8",
  }).filter((name) => name.includes(".")).map((name) => join("src", name));
  const files = [
    ...[...names, ...sources].sort().map((name) => join(folder, name)),
    ...OTHERS.map((name) => join(project, "scripts/console", name)),
  ];
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

/** Whether a folder holds what would be built now. */
export function isBuilt(project: string, folder: string): boolean {
  const mark = join(folder, MARK);
  return existsSync(mark) &&
    readFileSync(mark, "utf8") === consoleSources(project);
}
