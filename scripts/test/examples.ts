import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import type { StepOutcome } from "./step.ts";

/** The stories and, beside each, what it printed. */
const EXAMPLES_FOLDER = join("supabase", "examples");

/** Runs every story; each output that differs from the committed one fails. */
export async function checkExamples(
  projectFolder: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  const stories = await tellAll(projectFolder, databaseUrl);
  const stale: string[] = [];
  for (const { file, output } of stories) {
    const committed = await readFile(outputOf(file), "utf8").catch(() => "");
    if (committed !== output) stale.push(`${outputOf(file)}:\n${output}`);
  }
  return {
    passed: stories.length - stale.length,
    failed: stale.length,
    report: stale.length === 0 ? "" : [
      "These stories print something else now. If that is right: npm run regenerate.",
      ...stale,
    ].join("\n\n"),
  };
}

/** Writes what every story prints now. */
export async function writeExamples(
  projectFolder: string,
  databaseUrl: string,
): Promise<void> {
  for (const { file, output } of await tellAll(projectFolder, databaseUrl)) {
    await writeFile(outputOf(file), output);
  }
}

function outputOf(file: string): string {
  return `${file}.out`;
}

async function tellAll(projectFolder: string, databaseUrl: string) {
  const folder = join(projectFolder, EXAMPLES_FOLDER);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql"));
  const stories: { file: string; output: string }[] = [];
  for (const name of names.sort()) {
    const file = join(folder, name);
    stories.push({ file, output: await tell(file, databaseUrl) });
  }
  return stories;
}

/** Runs a story in a transaction that is rolled back; prints its statements and their rows. */
async function tell(file: string, databaseUrl: string): Promise<string> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const story = await readFile(file, "utf8");
  try {
    await sql.unsafe("begin");
    let output = "";
    for (const statement of statementsOf(story)) {
      const rows = await sql.unsafe(statement).simple();
      output += `${statement}\n\n${table(rows)}`;
    }
    await sql.unsafe("rollback");
    return output;
  } finally {
    await sql.end();
  }
}

/** A story's statements with the comments above them; each ends a line with a semicolon. */
function statementsOf(story: string): string[] {
  return story.split(/(?<=;)\n+/).map((text) => text.trim())
    .filter((text) => text !== "");
}

function table(rows: postgres.RowList<postgres.Row[]>): string {
  const columns = (rows.columns ?? []).map(({ name }) => name);
  if (columns.length === 0) return "";
  const cells = [
    columns,
    ...rows.map((row) => columns.map((column) => String(row[column] ?? ""))),
  ];
  const widths = columns.map((_, at) =>
    Math.max(...cells.map((line) => line[at]!.length))
  );
  const lines = cells.map((line) =>
    line.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ").trimEnd()
  );
  const rule = widths.map((width) => "-".repeat(width)).join("-|-");
  return [lines[0], rule, ...lines.slice(1)]
    .map((line) => `    ${line}\n`).join("") + "\n";
}
