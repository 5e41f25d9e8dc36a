import { partitionOf, type Shard } from "./config.ts";
import type { Part } from "./dump.ts";
import type { ShardView } from "./interface.ts";
import { TERMS } from "./merges.ts";

const TABLE =
  /CREATE (?:UNLOGGED )?TABLE (\S+) \(\n?([\s\S]*?)\n?\)(?:\nINHERITS \(([^)]+)\))?(?:\nPARTITION BY .*)?(?:\nWITH \(.*\))?;/;

/** Columns by which a table's rows are placed, the best first. */
const KEYS = ["account_id", "from_account_id"];

/** A table of accounts: on the router a parent without rows, whose parts lie on the shards. */
export function tableSql(part: Part, shards: readonly Shard[]): string {
  const name = `${part.schema}.${part.name}`;
  const [whole, , columns = "", inherited] = TABLE.exec(part.sql) ?? [];
  if (!whole) throw new Error(`${name}: pg_dump wrote it in another way`);
  const like = inherited ? [`    LIKE ${inherited}`] : [];
  const body = [...like, ...(columns.trim() ? [columns] : [])].join(",\n");
  const key = keyOf(part.name, columns, inherited);
  const by = key ? `\nPARTITION BY HASH (${key})` : "";
  const parent = part.sql.replace(
    whole,
    () => `CREATE TABLE ${name} (\n${body}\n)${by};`,
  );
  const parts = shards.map((shard) => foreignSql(part, shard, key));
  return [parent, ...parts].join("\n\n");
}

function keyOf(
  name: string,
  columns: string,
  inherited?: string,
): string | undefined {
  if (name === "credit_accounts") return "id";
  if (inherited) return "account_id";
  return KEYS.find((key) =>
    new RegExp(`^\\s+${key} uuid\\b`, "m").test(columns)
  );
}

/** The part on one shard: of accounts by their hash, so that Postgres asks one shard alone; of all else all rows. */
function foreignSql(
  { schema, name }: Part,
  shard: Shard,
  key: string | undefined,
): string {
  const { modulus, remainder } = partitionOf(shard);
  const table = `credits_router.${shard.name}_${name}`;
  const options =
    `server credits_${shard.name} options (schema_name '${schema}', table_name '${name}')`;
  if (!key) {
    return `create foreign table ${table} () inherits (${schema}.${name}) ${options};`;
  }
  return `create foreign table ${table} partition of ${schema}.${name}
  for values with (modulus ${modulus}, remainder ${remainder}) ${options};`;
}

/** A view that the shards compute: the rows of all, each for what it knows. */
export function viewSql(
  { schema, name, columns }: ShardView,
  shards: readonly Shard[],
): string {
  const tables = shards.map((shard) => `credits_router.${shard.name}_${name}`);
  const makes = tables.map((table, i) =>
    `create foreign table ${table} (${columns}) server credits_${
      shards[i]!.name
    }
  options (schema_name '${schema}', table_name '${name}');`
  );
  return `${makes.join("\n")}
create view ${schema}.${name} as
  ${tables.map((table) => `select * from ${table}`).join("\n  union all ")};
alter view ${schema}.${name} owner to credits_router;`;
}

/** Parts that make sense for a table with rows alone. */
const OF_ROWS = new Set([
  "CONSTRAINT",
  "DEFAULT",
  "FK CONSTRAINT",
  "INDEX",
  "RULE",
  "SEQUENCE",
  "SEQUENCE OWNED BY",
  "TRIGGER",
]);
/** Parts that the router never has. */
const NEVER = new Set([
  "EVENT TRIGGER",
  "INDEX ATTACH",
  "PUBLICATION",
  "STATISTICS",
  "TABLE ATTACH",
]);
const DESCRIBED = /^(TABLE|COLUMN|FUNCTION|VIEW|TYPE|DOMAIN) /;

/** The parts of a shard's schema that the router has; not the months of a table that is partitioned on the shard. */
export function keptParts(parts: readonly Part[]): Part[] {
  const months = new Set(
    parts.filter(({ type }) => type === "TABLE ATTACH").map(({ name }) => name),
  );
  return parts.filter((part) => isKept(part) && !months.has(nameOf(part)));
}

/** The relation that a part is, or that it describes. */
function nameOf({ name }: Part): string {
  return name.replace(/^(TABLE|COLUMN) /, "").replace(/[ .].*/, "");
}

/** Whether the router has such a part. */
function isKept(part: Part): boolean {
  const { name, type, schema, sql } = part;
  if (NEVER.has(type)) return false;
  if (type === "SCHEMA") return name === "credits";
  if (schema === "-") return name.startsWith("SCHEMA credits");
  if (type === "COMMENT" || type === "ACL") return DESCRIBED.test(name);
  if (!OF_ROWS.has(type)) return true;
  // A view that something before it needs is made in two steps.
  if (type === "RULE" && name.endsWith(" _RETURN")) return true;
  const table = / ON (?:ONLY )?(\w+\.\w+)/i.exec(sql) ??
    /ALTER TABLE (?:ONLY )?(\w+\.\w+)/.exec(sql);
  return TERMS.includes(table?.[1] ?? "");
}

/** Whether a table's rows lie on the router. */
export function isTerms({ schema, name }: Part): boolean {
  return TERMS.includes(`${schema}.${name}`);
}
