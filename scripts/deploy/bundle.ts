import { readFile } from "node:fs/promises";
import { fileOf, makeRelease, type Migration } from "./book.ts";

const TAG = "$migration$";

/**
 * Starts the schedule in a transaction of its own, also where all is sent as one message: pg_cron does not
 * notice jobs that come with a transaction as large as a release.
 */
const START_SCHEDULE = `begin;
commit;
select from public.apply_schedule();
`;

/** The file that npm run bundle writes: for psql -f, or to be pasted into an SQL editor. */
export async function makeBundleFile(project: string): Promise<string> {
  return await makeBundle(project) + START_SCHEDULE;
}

/** The release as one SQL statement, and therefore one transaction wherever it is run. */
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
