import { readdirSync, readFileSync } from "node:fs";
import { onDatabase } from "../../scripts/shards/interface.ts";

/** Runs an action while a server is stopped in its tracks, and its kernel goes on to answer. */
export async function whileFrozen<T>(
  url: string,
  action: () => Promise<T>,
): Promise<T> {
  const data = await onDatabase(
    url,
    async (sql) =>
      (await sql`select current_setting('data_directory') as data`)[0]!.data,
  );
  const postmaster = readFileSync(`${data}/postmaster.pid`, "utf8")
    .split("\n")[0]!;
  signal(postmaster, "SIGSTOP");
  try {
    return await action();
  } finally {
    signal(postmaster, "SIGCONT");
  }
}

/** Signals a server and its sessions. */
function signal(postmaster: string, signal: NodeJS.Signals): void {
  process.kill(Number(postmaster), signal);
  const children = readdirSync("/proc").filter((name) =>
    /^\d+$/.test(name) && parentOf(name) === postmaster
  );
  for (const pid of children) process.kill(Number(pid), signal);
}

function parentOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")")).split(" ")[2];
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
