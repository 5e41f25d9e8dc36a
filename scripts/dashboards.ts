import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dashboardFiles } from "../monitoring/grafana/index.ts";
import { parseFlags, run } from "./flags.ts";

const FOLDER = join("monitoring", "grafana", "dashboards");

const HELP = `npm run dashboards

Writes the JSON that Grafana reads, ${FOLDER}, from the sources beside it.

  --help  this text`;

async function main(): Promise<void> {
  const options = { help: { type: "boolean" } } as const;
  if (parseFlags(HELP, { options }).values.help) return console.log(HELP);
  await mkdir(FOLDER, { recursive: true });
  for (const [file, text] of dashboardFiles()) {
    await writeFile(join(FOLDER, file), text);
    console.log(`wrote ${join(FOLDER, file)}`);
  }
}

run(main);
