import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Sql } from "postgres";

/** A statement whose parameter is the number of the call. */
export interface Call {
  readonly sql: string;
  /** How many calls in one transaction; 1 unless told. */
  readonly together?: number;
}

/**
 * Microseconds of the processor that the server process of a connection takes
 * for a call, commit included; undefined where there is no /proc to read it from.
 *
 * @param first number of the first call
 */
export async function processorTime(
  { sql: statement, together = 1 }: Call,
  sql: Sql,
  first: number,
  calls: number,
): Promise<number | undefined> {
  const pid = await processOf(sql);
  if (!existsSync(`/proc/${pid}/stat`)) return undefined;
  const before = ticksOf(readFileSync(`/proc/${pid}/stat`, "utf8"));
  for (let call = first; call < first + calls; call++) {
    if (together > 1 && (call - first) % together === 0) {
      await sql.unsafe("begin");
    }
    await sql.unsafe(statement, [call], { prepare: true });
    if (together > 1 && (call - first + 1) % together === 0) {
      await sql.unsafe("commit");
    }
  }
  const ticks = ticksOf(readFileSync(`/proc/${pid}/stat`, "utf8")) - before;
  return ticks * microsecondsATick() / calls;
}

async function processOf(sql: Sql): Promise<number> {
  const [process] = await sql`select pg_backend_pid() as pid`;
  return process?.pid;
}

/** Milliseconds of the processor that a process takes for something, all its threads together; undefined as above. */
export async function processorMilliseconds(
  pid: number,
  act: () => Promise<unknown>,
): Promise<number | undefined> {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return undefined;
  const before = ticksOf(readFileSync(file, "utf8"));
  await act();
  const ticks = ticksOf(readFileSync(file, "utf8")) - before;
  return ticks * microsecondsATick() / 1000;
}

/** User and system time of a process by its /proc/<pid>/stat, whose second field may hold anything in brackets. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

let tick: number | undefined;

function microsecondsATick(): number {
  return tick ??= 1e6 /
    Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
}
