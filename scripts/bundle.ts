import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { makeBundleFile } from "./deploy/bundle.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP = `npm run bundle [-- --out <file>]

Writes every migration into one SQL file, to be run with psql -f or pasted into
the SQL editor.

  --out <file>  where to (dist/atomic-credits.sql); - for standard output
  --help        this text`;

/** Writes the bundle. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const { values } = parseFlags(HELP, terminal, {
    options: {
      out: { type: "string", default: "dist/atomic-credits.sql" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const bundle = await makeBundleFile(process.cwd());
  if (values.out === "-") {
    console.log(bundle.trimEnd());
    return 0;
  }
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, bundle);
  console.log(`wrote ${values.out} (${Math.ceil(bundle.length / 1024)} KB)`);
  return 0;
}
