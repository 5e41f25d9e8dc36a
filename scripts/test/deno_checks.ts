import { denoProgram } from "../stack/functions.ts";
import { type CommandResult, runCommand } from "./command.ts";
import { singleCheck, type Step } from "./step.ts";

const CHECKS = [
  { name: "deno check", args: ["check", "--quiet"] },
  { name: "deno lint", args: ["lint"] },
  { name: "deno fmt --check", args: ["fmt", "--check"] },
];

/** The three Deno steps; deno.json says which files each one covers. */
export function denoSteps(projectFolder: string): Step[] {
  return CHECKS.map(({ name, args }) => ({
    name,
    run: async () => {
      const result = await runDeno(projectFolder, args);
      return singleCheck(result.code === 0, result.output);
    },
  }));
}

/** Runs the project's own Deno, offline. */
export function runDeno(
  projectFolder: string,
  args: readonly string[],
): Promise<CommandResult> {
  return runCommand(denoProgram(), args, {
    cwd: projectFolder,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  });
}
