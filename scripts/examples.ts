import { pushMigrations } from "./stack/migrate.ts";
import { startTestDatabase } from "./test/database.ts";
import { EXAMPLES_FOLDER, writeExamples } from "./test/examples.ts";

/** `npm run examples`: writes what the stories of supabase/examples print now. */
async function main(): Promise<void> {
  const project = process.cwd();
  const database = await startTestDatabase();
  try {
    await pushMigrations(project, database.url);
    await writeExamples(project, database.url);
    console.log(`wrote ${EXAMPLES_FOLDER}/*.sql.out`);
  } finally {
    await database.stop();
  }
}

await main();
