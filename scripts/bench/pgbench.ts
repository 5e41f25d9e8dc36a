import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../test/command.ts";
import type { Lab } from "./lab.ts";
import type { Load } from "./scenario.ts";

const CLIENTS = 8;

/** @throws where there is no pgbench, with the apt line */
export function requirePgbench(): void {
  if (spawnSync("pgbench", ["--version"]).status === 0) return;
  throw new Error(
    "There is no pgbench on the PATH, which the bench measures with: apt-get install postgresql",
  );
}

/**
 * How many operations a second a load comes to. The first second is left out:
 * in it, each connection compiles its functions.
 *
 * @param seconds how long pgbench runs, 2 or more
 */
export async function operationsPerSecond(
  load: Load,
  { url, folder, short }: Lab,
  seconds: number,
): Promise<number> {
  const { code, output } = await runCommand("pgbench", [
    "--no-vacuum",
    "--protocol=prepared",
    "--progress=1",
    `--client=${load.clients ?? CLIENTS}`,
    "--jobs=1",
    `--time=${seconds}`,
    `--define=size=${short ? 1 : 10}`,
    ...await scriptFlags(load, folder),
    url(load.database),
  ], { cwd: folder });
  if (code !== 0) throw new Error(`pgbench failed:\n${output.slice(0, 2000)}`);
  return steadyRate(output) * (load.operations ?? 1);
}

async function scriptFlags(load: Load, folder: string): Promise<string[]> {
  const script = join(folder, "load.pgbench");
  const upkeep = join(folder, "upkeep.pgbench");
  await writeFile(script, load.script);
  if (load.upkeep === undefined) return [`--file=${script}`];
  await writeFile(upkeep, load.upkeep);
  return [`--file=${script}@99`, `--file=${upkeep}@1`];
}

/** Transactions a second of a run, by its output, without its first second. */
export function steadyRate(output: string): number {
  const read = (pattern: RegExp) => Number(pattern.exec(output)?.[1]);
  const transactions = read(/transactions actually processed: (\d+)/);
  const rate = read(/^tps = ([\d.]+)/m);
  const firstSeconds = read(/^progress: ([\d.]+) s/m);
  const firstRate = read(/^progress: [\d.]+ s, ([\d.]+) tps/m);
  const steady = (transactions - firstSeconds * firstRate) /
    (transactions / rate - firstSeconds);
  if (steady > 0) return steady;
  throw new Error(`pgbench's output cannot be read:\n${output.slice(-2000)}`);
}
