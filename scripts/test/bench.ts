import { FAMILIES } from "../bench/families/index.ts";
import { runCommand } from "./command.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/** What has bars for the long form alone (text streams, outputs), or figures that are compared with nothing. */
const LEFT_OUT = ["text", "outputs", "http", "storage", "breakdown", "shards"];

/** The bench in its short form: no ratio is more than a third worse than the project says. */
export async function checkBench(projectFolder: string): Promise<StepOutcome> {
  const families = FAMILIES.filter(({ name }) => !LEFT_OUT.includes(name))
    .flatMap(({ name }) => ["--only", name]);
  const { code, output } = await runCommand(
    process.execPath,
    ["scripts/run.mjs", "bench", "--short", "--check", ...families],
    { cwd: projectFolder },
  );
  return singleCheck(code === 0, output);
}
