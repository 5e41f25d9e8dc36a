import { createRequire } from "node:module";
import { readBook } from "../deploy/book.ts";
import { runCommand } from "./command.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

const require = createRequire(import.meta.url);

/** Squawk must have nothing to say about the book; `.squawk.toml` says which rules apply. */
export async function checkSquawk(projectFolder: string): Promise<StepOutcome> {
  const chapters = await readBook(projectFolder);
  const program = require.resolve("squawk-cli/js/bin/squawk");
  const result = await runCommand(
    process.execPath,
    [program, "--reporter=gcc", ...chapters.map(({ file }) => file)],
    { cwd: projectFolder },
  );
  return singleCheck(result.code === 0, result.output);
}
