import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileOf, MIGRATIONS_FOLDER } from "../deploy/book.ts";
import { makeHistory } from "../release/history.ts";
import {
  type FixedFile,
  readReleases,
  RELEASES_FOLDER,
  sha256Of,
} from "../release/kept.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/** What is released must be as it was, and the committed migrations what the book makes. */
export async function checkMigrations(project: string): Promise<StepOutcome> {
  const edited = await findEdited(project);
  if (edited.length > 0) return singleCheck(false, edited.join("\n"));
  const { files } = await makeHistory(project);
  const folder = join(project, MIGRATIONS_FOLDER);
  const wrong = (await readdir(folder)).filter((file) =>
    !files.some((migration) => fileOf(migration) === file)
  );
  for (const migration of files) {
    const file = fileOf(migration);
    const committed = await readFile(join(folder, file), "utf8")
      .catch(() => undefined);
    if (committed !== migration.text) wrong.push(file);
  }
  const report = `not what supabase/schemas makes: ${wrong.join(", ")}. ` +
    "Run `npm run regenerate` and commit them.";
  return singleCheck(wrong.length === 0, report);
}

/** Files of releases that are not as they were released, with what to do. */
async function findEdited(project: string): Promise<string[]> {
  const found: string[] = [];
  for (
    const { release, migrations, installer } of await readReleases(project)
  ) {
    const isAsReleased = async (folder: string, { file, sha256 }: FixedFile) =>
      sha256Of(await readFile(join(project, folder, file)).catch(() => "")) ===
        sha256;
    for (const migration of migrations) {
      if (await isAsReleased(MIGRATIONS_FOLDER, migration)) continue;
      found.push(
        `${
          join(MIGRATIONS_FOLDER, migration.file)
        } was released with ${release} and is another one now. Projects have applied it: ` +
          "get it back from version control, make the change in supabase/schemas, and run `npm run regenerate`: " +
          "it becomes a migration of its own (docs/upgrade.md).",
      );
    }
    if (await isAsReleased(RELEASES_FOLDER, installer)) continue;
    found.push(
      `${
        join(RELEASES_FOLDER, installer.file)
      } is what was released as ${release} and is another one now: get it back from version control.`,
    );
  }
  return found;
}
