import { chmod, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { checkUrl } from "./address.ts";

/** Groups of slots: the low 4 bits of an account's slot. A group is never split, and is moved as a whole. */
export const GROUPS = 16;

/** A database that holds the accounts of some groups. */
export interface Shard {
  readonly name: string;
  /** For the operator: a superuser, or the owner of the database. */
  readonly url: string;
  /** Where the router connects: pgbouncer, or the database itself. */
  readonly through: string;
  readonly groups: readonly number[];
}

/** What shards.json says. */
export interface Fleet {
  /** The router's database, for a superuser. */
  readonly router: string;
  readonly shards: readonly Shard[];
  /** A router that the new one stands in for. */
  readonly formerly?: string;
  /** The role as which the router calls shards. */
  readonly user: string;
  /** Its password; where there is none, the shards must trust the router. */
  readonly password?: string;
  /** What a call may take on the router, in seconds. */
  readonly seconds: number;
}

interface Written {
  router?: string;
  formerly?: string;
  shards?: Partial<Shard>[];
  user?: string;
  seconds?: number;
}

/** @throws where the file is missing or says something that cannot be */
export async function readFleet(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Fleet> {
  const written: Written = JSON.parse(await readFile(file, "utf8"));
  const { router, formerly, user = "credits_router", seconds = 8 } = written;
  if (!router) throw new Error(`${file}: router is missing, a URL`);
  checkUrl(router, `${file}: router`);
  if (formerly) checkUrl(formerly, `${file}: formerly`);
  const shards = (written.shards ?? []).map(
    ({ name, url, through = url, groups = [] }) => {
      checkName(name ?? "");
      if (!url) throw new Error(`${file}: ${name} needs a url`);
      for (const at of [url, through!]) checkUrl(at, `${file}: ${name}`);
      return { name: name!, url, through: through!, groups };
    },
  );
  checkGroups(shards);
  const password = env.SHARDS_PASSWORD;
  return { router, formerly, shards, user, seconds, password };
}

/** @throws for a name that cannot be part of others' names */
export function checkName(name: string): void {
  // The router has credits_long, and tables that begin with all_.
  if (!/^[a-z][a-z0-9_]{0,15}$/.test(name) || /^(all|long)$/.test(name)) {
    throw new Error(
      `"${name}" cannot be a shard's name: a-z, 0-9, _, at most 16 characters, and neither all nor long`,
    );
  }
}

/** Writes what readFleet reads, for those who could read it; never the password. */
export async function writeFleet(file: string, fleet: Fleet): Promise<void> {
  const { password: _, ...written } = fleet;
  const { mode } = await stat(file).catch(() => ({ mode: 0o600 }));
  // URLs may have passwords.
  await rm(`${file}.new`, { force: true });
  await writeFile(`${file}.new`, `${JSON.stringify(written, null, 2)}\n`, {
    mode: 0o600,
  });
  await chmod(`${file}.new`, mode);
  await rename(`${file}.new`, file);
}

/**
 * A table's partition for a shard. Postgres' own hash places rows, so a shard's groups must be those of one
 * remainder: 16 groups, or 8 that are equal modulo 2, or 4 modulo 4 …
 */
export function partitionOf(
  { name, groups }: Pick<Shard, "name" | "groups">,
): { modulus: number; remainder: number } {
  const modulus = GROUPS / groups.length;
  const remainder = Math.min(...groups);
  const isOne = Number.isInteger(Math.log2(groups.length)) &&
    groups.every((group) => group % modulus === remainder);
  if (!isOne || new Set(groups).size < groups.length) {
    throw new Error(
      `${name}: groups must be 1, 2, 4, 8 or 16 with one remainder, such as 1, 5, 9, 13 (modulo 4)`,
    );
  }
  return { modulus, remainder };
}

/** @throws unless each group has one shard */
export function checkGroups(
  shards: readonly Pick<Shard, "name" | "groups">[],
): void {
  for (const shard of shards) partitionOf(shard);
  for (let group = 0; group < GROUPS; group++) {
    const owners = shards.filter(({ groups }) => groups.includes(group));
    if (owners.length !== 1) {
      const names = owners.map(({ name }) => name).join(" and ") || "no shard";
      throw new Error(`group ${group} belongs to ${names}: it needs one shard`);
    }
  }
}

/** The role as which the router reads a shard's tables: one that policies hold. */
export function readerOf({ user }: Pick<Fleet, "user">): string {
  return `${user}_reads`;
}
