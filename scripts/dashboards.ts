import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dashboardFiles } from "../monitoring/grafana/index.ts";

const FOLDER = join("monitoring", "grafana", "dashboards");

/** `npm run dashboards`: writes the JSON that Grafana reads from the sources beside it. */
async function main(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  for (const [file, text] of dashboardFiles()) {
    await writeFile(join(FOLDER, file), text);
    console.log(`wrote ${join(FOLDER, file)}`);
  }
}

await main();
