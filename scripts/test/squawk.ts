import { createRequire } from "node:module";
import { join } from "node:path";
import { fileOf, MIGRATIONS_FOLDER, readBook } from "../deploy/book.ts";
import { makeHistory } from "../release/history.ts";
import { runCommand } from "./command.ts";
import type { StepOutcome } from "./step.ts";

const require = createRequire(import.meta.url);

/**
 * Squawk must have nothing to say about the book, nor about the migrations between releases, which find tables in use;
 * `.squawk.toml` and `.squawk.upgrades.toml` say which rules apply.
 */
export async function checkSquawk(projectFolder: string): Promise<StepOutcome> {
  const chapters = await readBook(projectFolder);
  const { steps } = await makeHistory(projectFolder, { draft: true });
  const lists: [config: string, files: string[]][] = [
    [".squawk.toml", chapters.map(({ file }) => file)],
    [
      ".squawk.upgrades.toml",
      steps.map((step) => join(MIGRATIONS_FOLDER, fileOf(step))),
    ],
  ];
  const wrong: string[] = [];
  const checked = lists.filter(([, files]) => files.length > 0);
  for (const [config, files] of checked) {
    const program = require.resolve("squawk-cli/js/bin/squawk");
    const result = await runCommand(
      process.execPath,
      [program, `--config=${config}`, "--reporter=gcc", ...files],
      { cwd: projectFolder },
    );
    if (result.code !== 0) wrong.push(result.output);
  }
  return {
    passed: checked.length - wrong.length,
    failed: wrong.length,
    report: wrong.join("\n"),
  };
}
