import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dashboardFiles } from "../monitoring/grafana/index.ts";
import { MIGRATIONS_FOLDER } from "./deploy/book.ts";
import { UPGRADES_FOLDER } from "./release/forward.ts";
import { writeHistory } from "./release/history.ts";
import { DELIVERED_FILE, describeDelivered } from "./test/delivered.ts";
import { DENIALS_FILE, describeDenials } from "./test/denials.ts";
import { openApiFiles } from "./openapi/index.ts";
import { parseFlags, type Terminal } from "./terminal.ts";
import { startTestDatabase } from "./test/database.ts";
import { writeExamples } from "./test/examples.ts";
import { describeSql, REFERENCE_FILE } from "./test/sql_reference.ts";
import { generateTypes, TYPES_FILE } from "./test/types.ts";

const DASHBOARDS_FOLDER = join("monitoring", "grafana", "dashboards");

const HELP = `npm run regenerate

Writes again every committed file that follows from another: Grafana's dashboards, the
chapter of what is delivered, the migrations (from supabase/schemas; after a release, the
one that leads from it to them, with what supabase/upgrades says), the TypeScript types and denials, openapi.json and the tables of docs/http.md, the SQL reference, what
the stories of supabase/examples print.

  --help  this text`;

/** Writes the files. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const options = { help: { type: "boolean" } } as const;
  if (parseFlags(HELP, terminal, { options }).values.help) {
    console.log(HELP);
    return 0;
  }
  const project = process.cwd();
  const write = async (file: string, content: string) => {
    await writeFile(join(project, file), content);
    console.log(`wrote ${file}`);
  };
  for (const [file, content] of dashboardFiles()) {
    await write(join(DASHBOARDS_FOLDER, file), content);
  }
  const database = await startTestDatabase({ migrated: true });
  try {
    await write(DELIVERED_FILE, await describeDelivered(database.url));
    const { files, byHand } = await writeHistory(project);
    for (const file of files) {
      console.log(`wrote ${join(MIGRATIONS_FOLDER, file)}`);
    }
    for (const what of byHand) {
      console.log(`by hand, in ${UPGRADES_FOLDER}: ${what}`);
    }
    await write(TYPES_FILE, await generateTypes(project, database.url));
    await write(DENIALS_FILE, await describeDenials(project, database.url));
    for (const [file, content] of await openApiFiles(project)) {
      await write(file, content);
    }
    await write(REFERENCE_FILE, await describeSql(database.url));
    await writeExamples(project, database.url);
  } finally {
    await database.stop();
  }
  return 0;
}
