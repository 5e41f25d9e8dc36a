import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { makeBundle } from "./deploy/bundle.ts";
import { parseFlags, run } from "./flags.ts";

const HELP = `npm run bundle [-- --out <file>]

Writes every migration into one SQL file, to be run with psql -f or pasted into
the SQL editor.

  --out <file>  where to (dist/atomic-credits.sql); - for standard output
  --help        this text`;

async function main(): Promise<void> {
  const { values } = parseFlags(HELP, {
    options: {
      out: { type: "string", default: "dist/atomic-credits.sql" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const bundle = await makeBundle(process.cwd());
  if (values.out === "-") {
    process.stdout.write(bundle);
    return;
  }
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, bundle);
  console.log(`wrote ${values.out} (${Math.ceil(bundle.length / 1024)} KB)`);
}

run(main);
