import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compareVersions } from "./kept.ts";

/** Where the version stands, beside what npm run regenerate writes: as a file, and what stands before it. */
const PLACES: readonly [file: string, before: RegExp][] = [
  ["package.json", /(?<=^ {2}"version": ")/m],
  [
    "package-lock.json",
    /(?<="name": "atomic-credits-repository",\n +"version": ")/g,
  ],
  ["installer/package.json", /(?<=^ {2}"version": ")/m],
  ["openapi.json", /(?<=^ {4}"version": ")/m],
  ["README.md", /(?<=^\*\*Status:\*\* )/m],
  ["docs/deploy.md", /(?<=atomic-credits-|Atomic Credits )(?=\d+\.\d+\.\d)/g],
];

/**
 * Raises the version of the project.
 * @returns what was done, in lines
 */
export async function raiseVersion(
  project: string,
  next: string,
): Promise<string[]> {
  const read = (file: string) => readFile(join(project, file), "utf8");
  const { version } = JSON.parse(await read("package.json"));
  if (!/^\d+\.\d+\.\d+$/.test(next) || compareVersions(next, version) <= 0) {
    throw new Error(`${next} is no version after ${version}.`);
  }
  const lines: string[] = [];
  for (const [file, before] of PLACES) {
    const text = await read(file);
    const pattern = RegExp(
      `${before.source}${version.replaceAll(".", "\\.")}`,
      before.flags,
    );
    const raised = text.replace(pattern, next);
    if (raised === text) continue;
    await writeFile(join(project, file), raised);
    lines.push(`wrote ${file}`);
  }
  const changelog = await read("CHANGELOG.md");
  if (!/^## Unreleased$/m.test(changelog)) {
    await writeFile(
      join(project, "CHANGELOG.md"),
      changelog.replace(/^(?=## )/m, "## Unreleased\n\n"),
    );
    lines.push("wrote CHANGELOG.md");
  }
  return [...lines, `The version is ${next}. Next: npm run regenerate.`];
}
