import { parseFlags, type Terminal } from "../terminal.ts";
import { FAMILIES } from "./families/index.ts";

export const HELP = `npm run bench [-- options]

Measures what the ledger costs beside the least SQL that could do the same, in
turns on one throw-away server: what counts are the ratios. Needs pgbench
(apt-get install postgresql). All of it takes about an hour and 15 GB of disk;
exit code 1 when a bar is missed.

  --short         a few minutes: shorter rounds, smaller sizes; no bar counts
  --check         with --short: exit code 1 when a ratio is more than a third
                  worse than scripts/bench/expected.json
  --update        with --short: writes that file
  --against <commit>
                  also what charges and denials have gained since a commit: the
                  same load in turns on a database with that commit's migrations;
                  with --only breakdown by processor time, on a busy machine too
  --only <name>   one scenario, or one family of them; may be repeated
  --json <file>   writes the figures there too
  --help          this text

Families: ${FAMILIES.map(({ name }) => name).join(", ")}.`;

/** What to measure, and what for. */
export interface Options {
  readonly short: boolean;
  readonly check: boolean;
  readonly update: boolean;
  readonly against?: string;
  readonly only: readonly string[];
  readonly json?: string;
}

/**
 * Reads the flags.
 * @returns undefined when the help was asked for
 * @throws when the flags do not go together
 */
export function readOptions(terminal: Terminal): Options | undefined {
  const { help, ...options } = parseFlags(HELP, terminal, {
    options: {
      short: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      update: { type: "boolean", default: false },
      against: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  }).values;
  if (help) return undefined;
  if ((options.check || options.update) && !options.short) {
    throw new Error("--check and --update go with --short: add it.");
  }
  if (options.against !== undefined && options.update) {
    throw new Error(
      "--against does not go with --update: what is expected is beside the least SQL.",
    );
  }
  return options;
}
