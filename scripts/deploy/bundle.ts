import { readFile } from "node:fs/promises";
import { makeHistory, recordedSteps, type Step } from "../release/history.ts";
import { fileOf, type Migration } from "./book.ts";

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

/**
 * The release as one SQL statement, and therefore one transaction wherever it is run: the book where nothing is
 * installed, otherwise what leads on from the release that is.
 */
export async function makeBundle(project: string): Promise<string> {
  const history = await makeHistory(project);
  const { release, checksum, migrations } = history.fresh;
  const template = await readFile(
    new URL("./bundle.sql", import.meta.url),
    "utf8",
  );
  const rows = [
    ...migrations.map((migration) => rowOf(migration)),
    ...recordedSteps(history).map((recorded, index) =>
      rowOf(recorded, history.steps[index])
    ),
  ];
  return template
    .replaceAll("{release}", release)
    .replaceAll("{checksum}", checksum)
    // As a function: the text may hold what replace takes for a pattern.
    .replace("{migrations}", () => rows.join(",\n"));
}

/** A migration of a new installation; and what it is where an earlier release is there. */
function rowOf(fresh: Migration, step?: Step): string {
  const { version, name } = fresh;
  const [from, to] = [step?.from, step?.checksum].map((checksum) =>
    checksum ? `'${checksum}'` : "null"
  );
  return `('${version}', '${name}', ${from}, ${to}, ${quoted(fresh)}, ${
    step ? quoted(step) : "null"
  })`;
}

function quoted(migration: Migration): string {
  if (migration.text.includes(TAG)) {
    throw new Error(`${fileOf(migration)} contains ${TAG}: quote otherwise.`);
  }
  return `${TAG}${migration.text}${TAG}`;
}
