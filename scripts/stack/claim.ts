import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, StackFailure } from "./failure.ts";
import { removeEmptyHome } from "./home.ts";
import { commandOf } from "./process.ts";

function runningOwner(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    const isStack = commandOf(pid)?.includes("run.mjs");
    return isStack && pid !== process.pid ? pid : undefined;
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
  process.once("exit", () => {
    rmSync(file, { force: true });
    removeEmptyHome(home);
  });
}
