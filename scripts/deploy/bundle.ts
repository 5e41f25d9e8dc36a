import { readFile } from "node:fs/promises";
import { fileOf, makeRelease, type Migration } from "./book.ts";

const TAG = "$migration$";

/**
 * The release as one SQL statement, and therefore one transaction wherever
 * it is run: psql -f, or pasted into an SQL editor.
 */
export async function makeBundle(project: string): Promise<string> {
  const { release, checksum, migrations } = await makeRelease(project);
  const template = await readFile(
    new URL("./bundle.sql", import.meta.url),
    "utf8",
  );
  return template
    .replaceAll("{release}", release)
    .replaceAll("{checksum}", checksum)
    // As a function: the text may hold what replace takes for a pattern.
    .replace("{migrations}", () => migrations.map(quoted).join(",\n"));
}

function quoted(migration: Migration): string {
  const { version, name, text } = migration;
  if (text.includes(TAG)) {
    throw new Error(`${fileOf(migration)} contains ${TAG}: quote otherwise.`);
  }
  return `('${version}', '${name}', ${TAG}${text}${TAG})`;
}
