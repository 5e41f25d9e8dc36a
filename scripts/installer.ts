import { join } from "node:path";
import { buildInstaller, packInstaller } from "./deploy/installer.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP = `npm run installer [-- --out <folder>]

Builds the npm package atomic-credits (npx atomic-credits) and packs it into one file.

  --out <folder>  where to (dist)
  --help          this text`;

/** Builds and packs the package. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const { values } = parseFlags(HELP, terminal, {
    options: {
      out: { type: "string", default: "dist" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const folder = join(values.out, "installer");
  await buildInstaller(process.cwd(), folder);
  console.log(`wrote ${folder}`);
  console.log(`wrote ${await packInstaller(folder, values.out)}`);
  return 0;
}
