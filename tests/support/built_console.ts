import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { isBuilt } from "../../scripts/console/sources.ts";
import { consoleFolder } from "../../scripts/stack/console.ts";

/** The console as a stack keeps it, built by its command unless it was made from the same sources. */
export interface BuiltConsole {
  /** The home below which it is. */
  readonly home: string;
}

let built: Promise<BuiltConsole> | undefined;

/** Builds it once for all workers. */
export function buildOnce(project: string): Promise<BuiltConsole> {
  return built ??= build(project);
}

async function build(project: string): Promise<BuiltConsole> {
  const home = join(project, "dist", "test");
  const folder = consoleFolder(home);
  if (!isBuilt(project, folder)) {
    const command = ["scripts/run.mjs", "console", "--build", "--out", folder];
    const options = { cwd: project };
    await promisify(execFile)(process.execPath, command, options);
  }
  return { home };
}
