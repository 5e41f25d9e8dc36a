import { existsSync, readFileSync } from "node:fs";
import type { Sql } from "postgres";

const MS_BETWEEN_LOOKS = 20;

/**
 * The most memory of its own (without shared buffers) that the server process
 * of a connection had while it ran a statement, in MiB; undefined where there
 * is no /proc to read it from.
 */
export async function peakMemory(
  statement: string,
  sql: Sql,
): Promise<number | undefined> {
  const [process] = await sql`select pg_backend_pid() as pid`;
  return await peakOf(process?.pid, () => sql.unsafe(statement));
}

/** The most memory of its own that a process had while something was done, in MiB; undefined where there is no /proc. */
export function peakOf(
  pid: number,
  act: () => PromiseLike<unknown>,
): Promise<number | undefined> {
  return peakOfField("RssAnon", pid, act);
}

/** The same with what it has of files, such as its own program: all that it has in memory. */
export function residentPeakOf(
  pid: number,
  act: () => PromiseLike<unknown>,
): Promise<number | undefined> {
  return peakOfField("VmRSS", pid, act);
}

async function peakOfField(
  field: "RssAnon" | "VmRSS",
  pid: number,
  act: () => PromiseLike<unknown>,
): Promise<number | undefined> {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  let peak = 0;
  const line = new RegExp(`^${field}:\\s+(\\d+)`, "m");
  const look = () => {
    const kibibytes = line.exec(readFileSync(file, "utf8"))?.[1];
    peak = Math.max(peak, Number(kibibytes) / 1024);
  };
  const timer = setInterval(look, MS_BETWEEN_LOOKS);
  try {
    await act();
  } finally {
    clearInterval(timer);
  }
  look();
  return peak;
}
