import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { buildClient } from "./client/build.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP = `npm run client

Builds the npm package @atomic-credits/client out of client/, into dist/client.
npm pack and npm publish are run there.

  --help  this text`;

/** Builds the package. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const options = { help: { type: "boolean" } } as const;
  if (parseFlags(HELP, terminal, { options }).values.help) {
    console.log(HELP);
    return 0;
  }
  const folder = join("dist", "client");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await buildClient(process.cwd(), folder);
  console.log(`wrote ${folder}`);
  return 0;
}
