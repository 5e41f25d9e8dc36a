import { createHash } from "node:crypto";
import {
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode, StackFailure } from "./failure.ts";

/** Who the database server runs as; undefined: as ourselves. */
export interface Identity {
  uid: number;
  gid: number;
}

/** A folder that holds one server: its binaries, its data, its keys, its objects. */
export interface Home {
  path: string;
  identity?: Identity;
}

/**
 * Postgres refuses to run as root, so root runs it as nobody, who is on every Linux system.
 * @throws StackFailure when there is no such user.
 */
function serverIdentity(): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8").split("\n")
    .find((entry) => entry.startsWith("nobody:"));
  if (!line) {
    throw new StackFailure(
      "Postgres does not run as root and there is no user nobody: run this as an ordinary user.",
    );
  }
  const [, , uid, gid] = line.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * Where the stack of a project lives: `.stack` inside it, or for root a folder
 * under /var/tmp, because nobody cannot look into root's own folders.
 */
export function projectHome(project: string): string {
  if (process.getuid?.() !== 0) return `${project}/.stack`;
  const mark = createHash("sha256").update(project).digest("hex").slice(0, 12);
  return `/var/tmp/atomic-credits-${mark}`;
}

/**
 * Opens a home folder, making it if needed.
 * @throws StackFailure when it cannot be written, or is somebody else's.
 */
export function openHome(path: string): Home {
  const identity = serverIdentity();
  try {
    mkdirSync(path, { recursive: true, mode: 0o711 });
    refuseForeign(path, identity);
    if (identity) chownSync(path, identity.uid, identity.gid);
  } catch (error) {
    if (error instanceof StackFailure) throw error;
    throw new StackFailure(
      `Cannot write ${path} (${
        errorCode(error)
      }): give this user write permission there, or move the project.`,
    );
  }
  return { path, identity };
}

/**
 * Anybody may make a folder in /var/tmp beforehand, and would then own the keys
 * and the programs that run from it.
 */
function refuseForeign(path: string, identity?: Identity): void {
  const folder = lstatSync(path);
  const owners = [process.getuid?.() ?? folder.uid, identity?.uid];
  if (folder.isDirectory() && owners.includes(folder.uid)) return;
  throw new StackFailure(
    `${path} belongs to somebody else: remove it, or pass --home with another folder.`,
  );
}

/** Removes from a home what a stack put there, and nothing else that it may hold. */
export function emptyHome(path: string): void {
  for (
    const name of [
      "data",
      "data.new",
      "postgres",
      "postgres.new",
      "keys.json",
      "sandbox.json",
      "storage",
      "pages",
      "console",
      "console.new",
    ]
  ) {
    rmSync(join(path, name), { recursive: true, force: true });
  }
}

/** Removes a home if nothing is in it. */
export function removeEmptyHome(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It holds a database, as it should.
  }
}

/** Removes a home with everything in it. */
export function removeHome(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
