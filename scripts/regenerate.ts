import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dashboardFiles } from "../monitoring/grafana/index.ts";
import { pushMigrations } from "./stack/migrate.ts";
import { startTestDatabase } from "./test/database.ts";
import { writeExamples } from "./test/examples.ts";
import { describeSql, REFERENCE_FILE } from "./test/sql_reference.ts";
import { generateTypes, TYPES_FILE } from "./test/types.ts";

const DASHBOARDS_FOLDER = join("monitoring", "grafana", "dashboards");

/** `npm run regenerate`: writes again every committed file that follows from another. */
async function main(): Promise<void> {
  const project = process.cwd();
  const write = async (file: string, content: string) => {
    await writeFile(join(project, file), content);
    console.log(`wrote ${file}`);
  };
  for (const [file, content] of dashboardFiles()) {
    await write(join(DASHBOARDS_FOLDER, file), content);
  }
  const database = await startTestDatabase();
  try {
    await pushMigrations(project, database.url);
    await write(TYPES_FILE, await generateTypes(project, database.url));
    await write(REFERENCE_FILE, await describeSql(database.url));
    await writeExamples(project, database.url);
  } finally {
    await database.stop();
  }
}

await main();
