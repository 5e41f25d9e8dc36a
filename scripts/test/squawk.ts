import { readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

const require = createRequire(import.meta.url);

/** Squawk must have nothing to say about the migrations; `.squawk.toml` says which rules apply. */
export async function checkSquawk(projectFolder: string): Promise<StepOutcome> {
  const folder = join("supabase", "migrations");
  const files = await readdir(join(projectFolder, folder));
  const program = require.resolve("squawk-cli/js/bin/squawk");
  const result = await runCommand(
    process.execPath,
    [program, "--reporter=gcc", ...files.map((file) => join(folder, file))],
    { cwd: projectFolder },
  );
  return singleCheck(result.code === 0, result.output);
}
