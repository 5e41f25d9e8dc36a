import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const COPIED = [
  "client",
  "examples",
  "functions",
  "scripts",
  "supabase",
  "deno.json",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
];

/**
 * A copy of the project that shares its packages, so that `npm start` can
 * write `.env.local` without touching the original.
 *
 * @returns the folder, to be removed with {@link removeProject}
 */
export async function copyProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-project-"));
  for (const name of COPIED) {
    await cp(join(process.cwd(), name), join(folder, name), {
      recursive: true,
    });
  }
  await linkPackages(join(process.cwd(), "node_modules"), folder);
  return folder;
}

/**
 * Links each package by itself: were the whole folder a link, an `npm ci` in
 * the copy would empty the original. npm's own record is copied last, so that
 * the packages count as up to date.
 */
async function linkPackages(original: string, folder: string): Promise<void> {
  const target = join(folder, "node_modules");
  const record = ".package-lock.json";
  await mkdir(target);
  for (const name of await readdir(original)) {
    if (name === record) continue;
    await symlink(join(original, name), join(target, name));
  }
  await cp(join(original, record), join(target, record));
}

/** Removes a copy of the project and what its stack kept. */
export async function removeProject(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** A running `npm start`. */
export interface StackProcess {
  readonly child: ChildProcess;
  /** Everything printed so far, on both streams. */
  readonly output: () => string;
  /** Resolves to the exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Runs `node scripts/run.mjs start` with these flags in a project folder. */
export function runStart(
  folder: string,
  flags: readonly string[],
): StackProcess {
  const child = spawn(
    process.execPath,
    ["scripts/run.mjs", "start", ...flags],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text) => output += text);
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  return { child, output: () => output, ended };
}

/** Ids of all processes below one, itself not included (Linux's /proc). */
export function listDescendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = readParent(entry);
    if (parent !== undefined) parents.set(Number(entry), parent);
  }
  const isBelow = (candidate: number): boolean => {
    const parent = parents.get(candidate);
    return parent === pid || (parent !== undefined && isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}

/** Kills a process and all below it at once, none of which can have a new one meanwhile; resolves when they are gone. */
export async function killTree(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  while (/[RSD]/.test(stateIn(readStatus(String(pid)) ?? "") ?? "")) {
    await delay(1);
  }
  // Itself last: as long as it is there, the id of a child that has just ended is nobody else's.
  const killed = [...listDescendants(pid), pid];
  for (const each of killed) process.kill(each, "SIGKILL");
  // A killed process that waits for the disk keeps its shared memory, and Postgres does not start beside it.
  while (killed.some(isAlive)) await delay(1);
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  return readParent(String(pid)) !== undefined;
}

function readParent(pid: string): number | undefined {
  const status = readStatus(pid);
  if (!status || stateIn(status) === "Z") return undefined;
  return Number(status.match(/^PPid:\s+(\d+)/m)?.[1]);
}

/** Running, sleeping, stopped …: the letter that Linux shows for it. */
function stateIn(status: string): string | undefined {
  return status.match(/^State:\s+(\w)/m)?.[1];
}

function readStatus(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return undefined; // it ended meanwhile
  }
}
