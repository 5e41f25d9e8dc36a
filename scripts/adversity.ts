import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import type { Attack } from "./adversity/attack.ts";
import { parseFlags, type Terminal } from "./terminal.ts";
import { interruptCommands } from "./test/command.ts";
import { runVitest } from "./test/vitest.ts";

const HELP = `npm run adversity [-- --short] [-- --write]

Attacks a throw-away stack - crashes, cut connections, hostile providers, fuzzed
requests, abuse - and prints what was thrown at it and what was lost.

  --short  the few rounds that npm test has; attacks for which this machine lacks
           a program (pgbouncer, the right to mount) are left out,
           while the long form counts them as failed
  --write  puts the table of the long form into SECURITY_HARDENING.md, if all passed
  --help   this text`;

const PAGE = "SECURITY_HARDENING.md";
const PLACE = /(<!-- adversity -->\n)[^]*?(<!-- \/adversity -->)/;

/** Runs the attacks with their output shown; what each of them recorded, and what failed. */
async function attackAll(
  short: boolean,
): Promise<{ attacks: Attack[]; failed: number; report: string }> {
  const folder = mkdtempSync(join(tmpdir(), "atomic-credits-adversity-"));
  const file = join(folder, "attacks.jsonl");
  try {
    const { failed, report } = await runVitest(process.cwd(), {
      form: short ? "short" : "long",
      only: ["tests/adversity"],
      env: { ADVERSITY_FILE: file },
    });
    const lines = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    const attacks = lines.split("\n").filter(Boolean).map((line) =>
      JSON.parse(line)
    );
    return { attacks, failed, report };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function toMarkdown(attacks: readonly Attack[]): string {
  const count = (value: number) => value.toLocaleString("en-US");
  const rows = attacks.map(({ attack, rounds, unit, survived, lost }) =>
    `| ${attack} | ${count(rounds)} ${unit} | ${count(survived)} | ${lost} |`
  );
  return ["| attack | rounds | survived | lost |", "|---|---|---|---|", ...rows]
    .join("\n");
}

/** Day, cores and platform that a table was made on. */
function provenance(): string {
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, ${cpus().length} cores, ${process.platform} ${process.arch}, Node ${process.versions.node}`;
}

async function writePage(table: string): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const text = `\n${table}\n\n${provenance()}\n\n`;
  await writeFile(
    PAGE,
    page.replace(PLACE, (_, open, close) => `${open}${text}${close}`),
  );
}

/** Runs the attacks; resolves to the exit code. */
export async function main(terminal: Terminal): Promise<number> {
  const { values } = parseFlags(HELP, terminal, {
    options: {
      short: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.write && values.short) {
    throw new Error("--write takes the long form: leave out --short.");
  }
  process.once("SIGINT", interruptCommands);
  process.once("SIGTERM", interruptCommands);
  const { attacks, failed, report } = await attackAll(values.short);
  const table = toMarkdown(attacks);
  console.log(`\n${table}\n\n${provenance()}`);
  const held = failed === 0 &&
    attacks.every(({ rounds, survived, lost }) =>
      survived === rounds && lost === 0
    );
  if (failed > 0) console.error(`\n${report}\n\n${failed} failed`);
  if (values.write && held) await writePage(table);
  return held ? 0 : 1;
}
