import type { History } from "../../scripts/release/history.ts";
import { type Catalog, readCatalog } from "./catalog.ts";
import type { DatabaseServer, FreshDatabase } from "./databases.ts";
import { fillWithData, findTroubles, readBooks } from "./release_data.ts";
import { contentsOf, readRows } from "./rows.ts";

/** Databases to compare: one of the release that is upgraded, empty, and one of the book. */
export interface Upgrade {
  readonly server: DatabaseServer;
  readonly base: FreshDatabase;
  readonly book: FreshDatabase;
  readonly steps: History["steps"];
  /** Whether one with data in it is upgraded too; true unless told. */
  readonly filled?: boolean;
}

/**
 * Upgrades a release with data in it, and an empty one.
 * @returns what differs from a new installation of the book, or is wrong, one line each
 */
export async function checkUpgrade(
  { server, base, book, steps, filled = true }: Upgrade,
): Promise<string[]> {
  const since = new Date(Date.now() - 3_600_000);
  const plain = await server.copy(base);
  const full = await server.copy(base);
  if (filled) await fillWithData(full.url);
  const before = await readBooks(full.sql);
  for (const { sql } of [plain, full]) {
    for (const { text } of steps) {
      const failure = await sql.begin((tx) => tx.unsafe(text)).then(
        () => undefined,
        (error: Error) => `the migration fails: ${error.message}`,
      );
      if (failure) return [failure];
    }
  }
  const wanted = await readCatalog(book.sql);
  return [
    ...differences(wanted, await readCatalog(full.sql)),
    ...seedDifferences(
      contentsOf(await readRows(book.sql), since),
      contentsOf(await readRows(plain.sql), since),
    ),
    ...await findTroubles(full.sql),
    ...isSame(before, await readBooks(full.sql)),
  ];
}

/** What an upgraded database has otherwise than a new installation, one line per object. */
export function differences(wanted: Catalog, found: Catalog): string[] {
  return Object.keys({ ...wanted, ...found })
    .filter((name) => wanted[name] !== found[name])
    .map((name) =>
      found[name] === undefined
        ? `${name} is missing after the upgrade`
        : wanted[name] === undefined
        ? `${name} is left over after the upgrade`
        : `${name} differs: the upgrade gives ${found[name]}, the book ${
          wanted[name]
        }`
    );
}

/** Rows that the migrations bring; their own record differs. */
function seedDifferences(
  wanted: Record<string, unknown>,
  found: Record<string, unknown>,
): string[] {
  return Object.keys({ ...wanted, ...found })
    .filter((table) =>
      table !== "credits.installation" && table !== "sequences"
    )
    .filter((table) =>
      JSON.stringify(wanted[table]) !== JSON.stringify(found[table])
    )
    .map((table) =>
      `rows of ${table} differ: the upgrade gives ${
        JSON.stringify(found[table])
      }, the book ${JSON.stringify(wanted[table])}`
    );
}

function isSame(before: unknown, after: unknown): string[] {
  return JSON.stringify(before) === JSON.stringify(after)
    ? []
    : ["balances, entries, jobs or payments are not what they were"];
}
