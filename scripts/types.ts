import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pushMigrations } from "./stack/migrate.ts";
import { startTestDatabase } from "./test/database.ts";
import { generateTypes, TYPES_FILE } from "./test/types.ts";

/** `npm run types`: writes the database's TypeScript types from the migrations. */
async function main(): Promise<void> {
  const project = process.cwd();
  const database = await startTestDatabase();
  try {
    await pushMigrations(project, database.url);
    const types = await generateTypes(project, database.url);
    await writeFile(join(project, TYPES_FILE), types);
    console.log(`wrote ${TYPES_FILE}`);
  } finally {
    await database.stop();
  }
}

await main();
