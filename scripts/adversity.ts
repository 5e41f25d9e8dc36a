import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Attack } from "../tests/support/adversity.ts";
import { interruptCommands, runCommand } from "./test/command.ts";

const HELP = `npm run adversity [-- --short] [-- --write]

Attacks a throw-away stack - crashes, cut connections, hostile providers, fuzzed
requests, abuse - and prints what was thrown at it and what was lost.

  --short  the few rounds that npm test has
  --write  puts the table into SECURITY_HARDENING.md
  --help   this text`;

const PAGE = "SECURITY_HARDENING.md";
const PLACE = /(<!-- adversity -->\n)[^]*?(<!-- \/adversity -->)/;

/** Runs the attacks with their output shown; what each of them recorded, and whether all tests passed. */
async function attackAll(
  short: boolean,
): Promise<{ attacks: Attack[]; passed: boolean }> {
  const folder = mkdtempSync(join(tmpdir(), "atomic-credits-adversity-"));
  const file = join(folder, "attacks.jsonl");
  try {
    const { code } = await runCommand(
      process.execPath,
      ["node_modules/vitest/vitest.mjs", "run", "tests/adversity"],
      {
        cwd: process.cwd(),
        env: { ADVERSITY: short ? "short" : "long", ADVERSITY_FILE: file },
        onOutput: (text) => process.stdout.write(text),
      },
    );
    const lines = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    const attacks = lines.split("\n").filter(Boolean).map((line) =>
      JSON.parse(line)
    );
    return { attacks, passed: code === 0 };
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
async function main(): Promise<number> {
  const { values } = parseArgs({
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
  process.once("SIGINT", interruptCommands);
  process.once("SIGTERM", interruptCommands);
  const { attacks, passed } = await attackAll(values.short);
  const table = toMarkdown(attacks);
  console.log(`\n${table}\n\n${provenance()}`);
  if (values.write && passed) await writePage(table);
  const held = attacks.every(({ rounds, survived, lost }) =>
    survived === rounds && lost === 0
  );
  return passed && held ? 0 : 1;
}

main().then((code) => process.exitCode = code, (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
