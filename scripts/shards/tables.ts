import { partitionOf, type Shard } from "./config.ts";
import type { Part } from "./dump.ts";
import type { ShardView } from "./interface.ts";
import { LOCAL, SIGN_UP, TERMS } from "./merges.ts";

const HELD = [...TERMS, ...SIGN_UP, ...LOCAL];

const TABLE =
  /CREATE (?:UNLOGGED )?TABLE (\S+) \(\n?([\s\S]*?)\n?\)(?:\nINHERITS \(([^)]+)\))?(?:\nPARTITION BY .*)?(?:\nWITH \(.*\))?;/;

/** Columns by which a table's rows are placed, the best first. */
const KEYS = ["account_id", "from_account_id"];

/** A relation of the router whose rows lie on the shards. */
export interface Relation {
  readonly schema: string;
  readonly name: string;
  /** Of the router: the parent of what each shard has. */
  readonly parent: string;
  /** By which rows are placed; none: each shard has rows of its own. */
  readonly key?: string;
}

/** A table of accounts: on the router a parent without rows, whose parts lie on the shards. */
export function tableOf(part: Part): { relation: Relation; sql: string } {
  const parent = `${part.schema}.${part.name}`;
  const [whole, , columns = "", inherited] = TABLE.exec(part.sql) ?? [];
  if (!whole) throw new Error(`${parent}: pg_dump wrote it in another way`);
  const like = inherited ? [`    LIKE ${inherited}`] : [];
  const body = [...like, ...(columns.trim() ? [columns] : [])].join(",\n");
  const key = keyOf(part.name, columns, inherited);
  const by = key ? `\nPARTITION BY HASH (${key})` : "";
  const sql = part.sql.replace(
    whole,
    () => `CREATE TABLE ${parent} (\n${body}\n)${by};`,
  );
  const { schema, name } = part;
  return { relation: { schema, name, parent, key }, sql };
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

/** What the relations have on one shard: of accounts by their hash, so that Postgres asks one shard alone; of all else all rows. */
export function partsOfShard(
  relations: readonly Relation[],
  shard: Shard,
): string {
  const { modulus, remainder } = partitionOf(shard);
  return relations.map(({ schema, name, parent, key }) => {
    const table = `credits_router.${shard.name}_${name}`;
    const place = key
      ? `partition of ${parent} for values with (modulus ${modulus}, remainder ${remainder})`
      : `() inherits (${parent})`;
    return `create foreign table ${table} ${place} server credits_${shard.name}
  options (schema_name '${schema}', table_name '${name}');
grant select on ${table} to credits_router;`;
  }).join("\n");
}

/**
 * A view that the shards compute. Under its own name: the rows of all. In credits_router: with the shard's name, and
 * one row that says so of a shard that does not answer.
 */
export function viewOf(
  { schema, name, columns }: ShardView,
): { relation: Relation; sql: string } {
  const parent = `credits_router.all_${name}`;
  const sql = `create table ${parent} (${columns});
grant select on ${parent} to credits_router;
create view ${schema}.${name} as select * from ${parent};
alter view ${schema}.${name} owner to credits_router;
create function credits_router.each_${name}()
returns table (shard text, unreachable boolean, ${columns})
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $proxy$
#variable_conflict use_column
declare
  one text;
begin
  for one in select s.shard from credits_router.shards as s order by s.slot loop
    begin
      return query execute format('select %L::text, false, r.* from credits_router.%I as r', one, one || '_${name}');
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      return query select one, true, n.* from (select) as nothing left join ${parent} as n on false;
    end;
  end loop;
end;
$proxy$;
alter function credits_router.each_${name} owner to credits_router;
create view credits_router.${name} as select * from credits_router.each_${name}();
comment on view credits_router.${name} is
  'The rows of ${schema}.${name} with their shard. One that does not answer has one row: unreachable.';`;
  return { relation: { schema, name, parent }, sql };
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
  return HELD.includes(table?.[1] ?? "");
}

/** Whether a table's rows lie on the router. */
export function isHeld({ schema, name }: Part): boolean {
  return HELD.includes(`${schema}.${name}`);
}
