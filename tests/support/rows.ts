import type { Sql } from "postgres";

/** A row with the transaction that wrote it. */
export interface StoredRow {
  readonly xmin: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The rows of every table that has some, and where each sequence that was used stands. */
export type StoredRows = Readonly<Record<string, readonly StoredRow[]>>;

/** Reads what a database holds, its migration history included, table by table as the catalog lists them. */
export async function readRows(sql: Sql): Promise<StoredRows> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'extensions')
      -- The CLI may keep a table that is no business of the owner of ours.
      and has_table_privilege(c.oid, 'select')
    order by 1`;
  const found: Record<string, StoredRow[]> = {};
  for (const { name } of tables) {
    const rows = await sql.unsafe<StoredRow[]>(
      `select xmin::text, to_jsonb(t) as values from only ${name} as t order by to_jsonb(t)::text`,
    );
    if (rows.length > 0) found[name] = [...rows];
  }
  const sequences = await sql<StoredRow[]>`
    select '' as xmin, to_jsonb(s) as values from pg_sequences as s where last_value is not null order by schemaname, sequencename`;
  return { ...found, sequences: [...sequences] };
}

const MIGRATIONS = "supabase_migrations.schema_migrations";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;
const SECRET = /^\\x[0-9a-f]{64}$/;

/**
 * What is the same in every database into which the migrations came: their own record is left out, and so is who wrote
 * a row, which secret chance gave, and any time from `since` on, which is when they came.
 */
export function contentsOf(rows: StoredRows, since: Date) {
  const alike = (value: unknown) => {
    if (typeof value !== "string") return value;
    if (SECRET.test(value)) return "a secret";
    return TIME.test(value) && new Date(value) >= since ? "now" : value;
  };
  return Object.fromEntries(
    Object.entries(rows).filter(([table]) => table !== MIGRATIONS).map((
      [table, stored],
    ) => [
      table,
      stored.map(({ values }) =>
        Object.fromEntries(
          Object.entries(values).map(([name, value]) => [name, alike(value)]),
        )
      ),
    ]),
  );
}
