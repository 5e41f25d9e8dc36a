import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pushMigrations } from "./stack/migrate.ts";
import { startTestDatabase } from "./test/database.ts";
import { writeExamples } from "./test/examples.ts";
import { describeSql, REFERENCE_FILE } from "./test/sql_reference.ts";
import { generateTypes, TYPES_FILE } from "./test/types.ts";

/** `npm run regenerate`: writes again every committed file that follows from the SQL. */
async function main(): Promise<void> {
  const project = process.cwd();
  const database = await startTestDatabase();
  const write = async (file: string, content: Promise<string>) => {
    await writeFile(join(project, file), await content);
    console.log(`wrote ${file}`);
  };
  try {
    await pushMigrations(project, database.url);
    await write(TYPES_FILE, generateTypes(project, database.url));
    await write(REFERENCE_FILE, describeSql(database.url));
    await writeExamples(project, database.url);
  } finally {
    await database.stop();
  }
}

await main();
