import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeze } from "./release/freeze.ts";
import { raiseVersion } from "./release/version.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP = `npm run release [-- --next <version>]

Releases the version that package.json names. From then on it stays as it is:
its migrations are fixed (the step "migrations" of npm test compares them), its
packed installer is kept in releases/, with its SQL and functions, and
CHANGELOG.md has a section of its own for it. What the book changes later is a
migration of the next release. Released already, it changes nothing.

  --next <version>  raises the version, everywhere it stands; releases nothing
  --help            this text`;

/** Releases, or begins the next version. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const { values } = parseFlags(HELP, terminal, {
    options: {
      next: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const project = process.cwd();
  const draft = await mkdtemp(join(tmpdir(), "atomic-credits-release-"));
  try {
    const lines = values.next
      ? await raiseVersion(project, values.next)
      : await freeze(project, draft);
    lines.forEach((line) => console.log(line));
  } finally {
    await rm(draft, { recursive: true });
  }
  return 0;
}
