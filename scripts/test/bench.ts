import { runCommand } from "./command.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/** The bench in its short form: no ratio is more than a third worse than the project says. */
export async function checkBench(projectFolder: string): Promise<StepOutcome> {
  const { code, output } = await runCommand(
    process.execPath,
    ["scripts/run.mjs", "bench", "--short", "--check"],
    { cwd: projectFolder },
  );
  return singleCheck(code === 0, output);
}
