import { type Actor, everybodysIds, type Parties } from "./access_parties.ts";
import type { Abilities } from "./access_sql.ts";
import { sql } from "./database.ts";
import { stack } from "./stack.ts";

/** SQLSTATEs that refuse: no privilege; for a view, nothing that could be written; for a table with rules, no upsert. */
const REFUSALS = new Set(["42501", "55000", "0A000"]);
/** The embedded API tells the last by its words alone. */
const NO_UPSERT = /ON CONFLICT clause cannot be used with table that has/;
/** The embedded API has no PUT; PostgREST's is an upsert of one row. */
const METHOD_NOT_ALLOWED = 405;

interface ApiRelation {
  readonly name: string;
  /** A column that somebody may change; of those that nobody may, any. */
  readonly column: string;
  /** What users may read of it: all, or these columns. */
  readonly readable: string;
}

interface ApiFunction {
  readonly name: string;
  readonly parameters: string[];
}

interface ApiAnswer {
  readonly method: string;
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/**
 * Tries every relation and function of schema public as one actor over the
 * Data API. Changes are aimed at no row, so that a hole does no damage.
 */
export async function tryDataApi(
  actor: Actor,
  parties: Parties,
): Promise<Abilities> {
  const abilities: Abilities = new Map();
  for (const relation of await apiRelations()) {
    const found = await Promise.all([
      tryRead(actor, relation, parties),
      ...tryWrites(actor, relation),
    ]);
    abilities.set(relation.name, found.flat());
  }
  for (const { name, parameters } of await apiFunctions()) {
    const nulls = Object.fromEntries(parameters.map((name) => [name, null]));
    const answer = await send(actor, "POST", `rpc/${name}`, nulls);
    const label = `${name}()`;
    abilities.set(label, [
      ...abilities.get(label) ?? [],
      ...works(answer),
    ]);
  }
  return abilities;
}

function apiRelations() {
  return sql<ApiRelation[]>`
    select c.relname as name, coalesce(
        min(a.attname) filter (where has_column_privilege('service_role', c.oid, a.attnum, 'update')),
        min(a.attname)) as column,
      case when has_table_privilege('authenticated', c.oid, 'select') then '*' else coalesce(string_agg(a.attname, ',' order by a.attnum)
        filter (where has_column_privilege('authenticated', c.oid, a.attnum, 'select')), '*') end as readable
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attidentity = ''
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype = 'e')
    group by c.oid, c.relname order by c.relname
  `;
}

/** The functions, with the parameters that must be given. */
function apiFunctions() {
  return sql<ApiFunction[]>`
    select p.proname as name, coalesce(p.proargnames[1:p.pronargs - p.pronargdefaults], '{}') as parameters
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
    order by p.proname
  `;
}

async function tryRead(
  actor: Actor,
  { name, readable }: ApiRelation,
  parties: Parties,
): Promise<string[]> {
  const answer = await send(actor, "GET", `${name}?select=${readable}`);
  // Who sees everything sees what other tests have left there, or nothing yet.
  const seesAll = actor.role === "service_role" ||
    actor.name === "operator" && name.startsWith("operator_");
  if (answer.status !== 200 || seesAll) return works(answer);
  return [`GET ${whose(answer.body, actor, parties)}`];
}

function tryWrites(
  actor: Actor,
  { name, column }: ApiRelation,
): Promise<string[]>[] {
  // Nothing is and is not null.
  const nowhere = `${name}?${column}=is.null&${column}=not.is.null`;
  const nothing = { [column]: null };
  const attempts = [
    send(actor, "POST", name, nothing),
    send(actor, "UPSERT", name, nothing),
    send(actor, "PUT", nowhere, nothing),
    send(actor, "PATCH", nowhere, nothing),
    send(actor, "DELETE", nowhere),
  ];
  return attempts.map(async (attempt) => {
    return works(await attempt);
  });
}

function works({ method, status, body }: ApiAnswer): string[] {
  const isRefused = REFUSALS.has(body?.code) ||
    NO_UPSERT.test(body?.message) || status === METHOD_NOT_ALLOWED;
  return isRefused ? [] : [`${method} ${status}`];
}

function whose(
  rows: readonly unknown[],
  { accounts }: Actor,
  parties: Parties,
): string {
  const has = (ids: readonly string[]) => (row: unknown) =>
    ids.some((id) => JSON.stringify(row).includes(id));
  const others = everybodysIds(parties).filter((id) => !accounts.includes(id));
  const foreign = rows.filter((row) => !has(accounts)(row));
  if (foreign.some(has(others))) return "all";
  if (rows.length === 0) return "nothing";
  if (foreign.length === 0) return "own";
  return foreign.length === rows.length ? "common" : "own and common";
}

/** `method` may also be UPSERT: a POST that changes a row where it finds one. */
async function send(
  { headers }: Actor,
  method: string,
  path: string,
  body?: unknown,
): Promise<ApiAnswer> {
  const isUpsert = method === "UPSERT";
  const response = await fetch(`${stack.url}/rest/v1/${path}`, {
    method: isUpsert ? "POST" : method,
    headers: {
      ...headers,
      "content-type": "application/json",
      ...(isUpsert && { prefer: "resolution=merge-duplicates" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const { status } = response;
  return { method, status, body: text === "" ? null : JSON.parse(text) };
}
