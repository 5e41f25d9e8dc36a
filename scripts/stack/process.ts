import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/**
 * The command line of a running process, undefined when there is no such process. A process
 * id alone proves nothing: after a restart of the machine it may be another's.
 */
export function commandOf(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  if (existsSync("/proc/self/cmdline")) return linuxCommandOf(pid);
  const list = spawnSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], {
    encoding: "utf8",
  });
  return list.stdout?.trim() || undefined;
}

function linuxCommandOf(pid: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return line.replaceAll("\0", " ").trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Ends a child in good order (SIGINT) when this process dies without doing so
 * itself: the watching shell waits for the end of its input, which only we hold open.
 */
export function endWithUs(child: ChildProcess): void {
  const watcher = spawn("sh", [
    "-c",
    'read -r _; kill -INT "$0"',
    `${child.pid}`,
  ], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.once("exit", () => watcher.kill("SIGKILL"));
  watcher.once("error", () => {});
  watcher.stdin?.once("error", () => {});
}
