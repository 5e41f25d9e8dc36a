import { readFile } from "node:fs/promises";
import postgres from "postgres";
import { readCatalog } from "../../../tests/support/catalog.ts";

/** Every object, owner and privilege of a database, and what of its server could change, by kind and name. */
export type Fingerprint = ReadonlyMap<string, string>;

/** @param superuserUrl who sees everything */
export async function readFingerprint(
  superuserUrl: string,
): Promise<Fingerprint> {
  const sql = postgres(superuserUrl, { max: 1, onnotice: () => {} });
  try {
    const query = await readFile(
      new URL("./fingerprint.sql", import.meta.url),
      "utf8",
    );
    const server = await sql.unsafe(query);
    const objects = Object.entries(await readCatalog(sql));
    return new Map([
      ...objects,
      ...server.map(({ kind, name, definition }): [string, string] => [
        `${kind} ${name}`,
        definition,
      ]),
    ]);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/**
 * What differs, one line each.
 *
 * @param mayDiffer names of what is somebody else's
 */
export function compareFingerprints(
  before: Fingerprint,
  after: Fingerprint,
  mayDiffer?: RegExp,
): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) =>
    before.get(name) !== after.get(name) && !mayDiffer?.test(name)
  ).map((name) => `${name}: ${before.get(name)} → ${after.get(name)}`);
}
