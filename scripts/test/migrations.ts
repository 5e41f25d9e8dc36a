import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileOf, makeRelease, MIGRATIONS_FOLDER } from "../deploy/book.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/** The committed migrations must be what the book makes. */
export async function checkMigrations(project: string): Promise<StepOutcome> {
  const { migrations } = await makeRelease(project);
  const folder = join(project, MIGRATIONS_FOLDER);
  const wrong = (await readdir(folder)).filter((file) =>
    !migrations.some((migration) => fileOf(migration) === file)
  );
  for (const migration of migrations) {
    const file = fileOf(migration);
    const committed = await readFile(join(folder, file), "utf8")
      .catch(() => undefined);
    if (committed !== migration.text) wrong.push(file);
  }
  const report = `not what supabase/schemas makes: ${wrong.join(", ")}. ` +
    "Run `npm run regenerate` and commit them.";
  return singleCheck(wrong.length === 0, report);
}
