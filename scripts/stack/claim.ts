import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, StackFailure } from "./failure.ts";

function runningOwner(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    if (pid === process.pid) return undefined;
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

/**
 * Makes a home this process's own until it ends, so that two stacks never share a database.
 * @throws StackFailure when another stack has it, or it cannot be written.
 */
export function claimHome(home: string): void {
  const file = join(home, "stack.pid");
  const owner = runningOwner(file);
  if (owner) {
    throw new StackFailure(
      `A stack is running on ${home} already (process ${owner}): stop it first, or pass --home with another folder.`,
    );
  }
  try {
    mkdirSync(home, { recursive: true, mode: 0o711 });
    writeFileSync(file, String(process.pid));
  } catch (error) {
    throw new StackFailure(
      `Cannot write ${home} (${
        errorCode(error)
      }): give this user write permission there, or pass --home with another folder.`,
    );
  }
  process.once("exit", () => rmSync(file, { force: true }));
}
