import { readFile } from "node:fs/promises";
import type { Sql } from "postgres";

/** The definition of every object in a database, by kind and name. */
export type Catalog = Record<string, string>;

/** Reads what the catalogs say of every schema but Postgres' own: two databases are alike when these are equal. */
export async function readCatalog(sql: Sql): Promise<Catalog> {
  const query = await readFile(
    new URL("./catalog.sql", import.meta.url),
    "utf8",
  );
  // An empty search_path, so that every name comes with its schema.
  const rows = await sql.begin(async (transaction) => {
    await transaction`set local search_path = ''`;
    return await transaction.unsafe(query);
  });
  const catalog = Object.fromEntries(
    rows.map(({ kind, name, definition }) => [`${kind} ${name}`, definition]),
  );
  if (Object.keys(catalog).length !== rows.length) {
    throw new Error("two objects of the catalog share kind and name");
  }
  return catalog;
}
