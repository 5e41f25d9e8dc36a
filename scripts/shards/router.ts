import { readFile } from "node:fs/promises";
import { addressOf, type Fleet, type Shard } from "./config.ts";
import { dumpSchema, type Part } from "./dump.ts";
import { proxySql } from "./functions.ts";
import {
  onDatabase,
  readInterface,
  readViews,
  type Routine,
  type ShardView,
} from "./interface.ts";
import { TERMS } from "./merges.ts";
import { isTerms, keptParts, tableSql, viewSql } from "./tables.ts";

const literal = (value: string) => `'${value.replaceAll("'", "''")}'`;

/** Options of a server or a mapping, as SQL writes them. */
function optionsOf(values: Readonly<Record<string, string>>): string {
  const options = Object.entries(values).map(([name, value]) =>
    `${name} ${literal(value)}`
  );
  return `options (${options.join(", ")})`;
}

/** All of the router, as one script for a superuser. */
export async function makeRouter(fleet: Fleet): Promise<string> {
  const [first] = fleet.shards;
  if (!first) throw new Error("no shard: name one in the file");
  const [parts, routines, views, helpers] = await Promise.all([
    dumpSchema(first.url),
    readInterface(first.url),
    readViews(first.url),
    readFile(new URL("./router.sql", import.meta.url), "utf8"),
  ]);
  return [
    "set check_function_bodies = off;\nset search_path = '';",
    rolesSql(fleet),
    serversSql(fleet),
    helpers,
    ...objectsSql(parts, routines, views, fleet.shards),
    limitsSql(fleet),
  ].join("\n\n");
}

/** Roles that a shard's schema names, and the one that owns the router's functions. */
function rolesSql({ user }: Fleet): string {
  const roles = [user, "credits_router", "credits_auditor"];
  const makes = [...new Set(roles)].map((role) =>
    `  if to_regrole(${
      literal(role)
    }) is null then create role ${role}; end if;`
  );
  return `do $$\nbegin\n${makes.join("\n")}\nend;\n$$;
create extension if not exists plproxy schema extensions;
create extension if not exists postgres_fdw schema extensions;
create schema credits_router authorization credits_router;`;
}

/** Connections: PL/Proxy's for calls, which credits_router alone may use, and postgres_fdw's for reading. */
function serversSql(fleet: Fleet): string {
  const { shards, user, password, seconds } = fleet;
  const groups = shards.flatMap(({ through, groups }) =>
    groups.map((group) => [`p${group}`, connection(through)] as const)
  ).sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1)));
  // Longer than statement_timeout on the router, so that it counts only where that one cannot.
  const query_timeout = String(seconds + 2);
  const login = { user, ...(password ? { password } : {}) };
  const reading = password ? login : { user, password_required: "false" };
  return [
    `create server credits foreign data wrapper plproxy ${
      optionsOf({ query_timeout, ...Object.fromEntries(groups) })
    };
grant usage on foreign server credits to credits_router;
create user mapping for credits_router server credits ${optionsOf(login)};`,
    ...shards.map((shard) => readingSql(shard, reading)),
  ].join("\n");
}

function connection(url: string): string {
  const { host, port, dbname } = addressOf(url);
  return `host=${host} port=${port} dbname=${dbname} connect_timeout=3`;
}

function readingSql(
  { name, through }: Shard,
  login: Record<string, string>,
): string {
  const options = { ...addressOf(through), connect_timeout: "3" };
  return `create server credits_${name} foreign data wrapper postgres_fdw ${
    optionsOf({ ...options, fetch_size: "1000", async_capable: "true" })
  };
create user mapping for public server credits_${name} ${optionsOf(login)};`;
}

/** A shard's schema, in its order: functions send, tables of accounts lie on the shards, all else is the same. */
function objectsSql(
  parts: readonly Part[],
  routines: readonly Routine[],
  views: readonly ShardView[],
  shards: readonly Shard[],
): string[] {
  const offered = new Map(
    routines.map((routine) => [plain(routine.identity), routine]),
  );
  const groups = shards.flatMap(({ name, groups }) =>
    groups.map((group) => `(${group}, ${literal(name)})`)
  );
  const merged = new Map(
    views.map((view) => [`${view.schema}.${view.name}`, view]),
  );
  const kept = keptParts(parts).map((part) => {
    if (part.type === "TABLE" && !isTerms(part)) return tableSql(part, shards);
    const view = merged.get(
      `${part.schema}.${part.name.replace(" _RETURN", "")}`,
    );
    if (view && part.type === "VIEW") return viewSql(view, shards);
    if (view && part.type === "RULE") return "";
    const routine = part.type === "FUNCTION"
      ? offered.get(plain(`${part.schema}.${part.name}`))
      : undefined;
    return (routine && proxySql(routine)) ?? part.sql;
  });
  return [
    ...kept,
    `insert into credits_router.groups values ${groups.join(", ")};
grant credits_router to postgres;
grant usage on schema credits to credits_router;
grant execute on function credits.slot(uuid) to credits_router;
grant select on all tables in schema credits_router to credits_router;
grant execute on all functions in schema credits_router to credits_router;`,
  ];
}

/** An identity without what pg_dump and Postgres write differently. */
function plain(identity: string): string {
  return identity.replaceAll(", ", ",");
}

function limitsSql({ seconds }: Fleet): string {
  return `do $$
begin
  execute format('alter database %I set statement_timeout = %L', current_database(), '${seconds}s');
  execute format('alter database %I set search_path = "$user", public, extensions', current_database());
end;
$$;`;
}

/** Lets the router in, as the role whose rights it needs: those of the service, and of whom it calls for. */
export function admitSql({ user, password }: Fleet): string {
  const secret = password ? `password ${literal(password)}` : "";
  return `do $$
begin
  if to_regrole(${literal(user)}) is null then create role ${user}; end if;
end;
$$;
alter role ${user} login bypassrls ${secret};
grant anon, authenticated, service_role, credits_auditor to ${user};
grant usage on schema public, credits to ${user};
alter role ${user} set statement_timeout = 0;`;
}

/** Makes the router and lets it into each shard. Nothing is changed where a step fails on the router. */
export async function initRouter(
  fleet: Fleet,
  say: (line: string) => void,
): Promise<void> {
  const script = await makeRouter(fleet);
  for (const shard of fleet.shards) {
    await onDatabase(shard.url, (sql) => sql.unsafe(admitSql(fleet)));
    say(`${shard.name}: the router may connect`);
  }
  const terms = await readTerms(fleet.shards[0]!.url);
  await onDatabase(fleet.router, (sql) =>
    sql.begin(async (tx) => {
      await tx.unsafe(script);
      // What the triggers would do has been done on the shard.
      await tx.unsafe("set local session_replication_role = replica");
      for (const { table, columns, rows } of terms) {
        await tx.unsafe(
          `insert into ${table} (${columns})
            select ${columns} from json_populate_recordset(null::${table}, $1::text::json)`,
          [rows],
        );
      }
    }));
  say(`router: made from ${fleet.shards[0]!.name}`);
}

interface Terms {
  readonly table: string;
  readonly columns: string;
  /** As JSON. */
  readonly rows: string;
}

/** Prices, plans and rules. */
function readTerms(url: string): Promise<Terms[]> {
  return onDatabase(url, (sql) =>
    Promise.all(TERMS.map(async (table) => {
      const [row] = await sql.unsafe<Omit<Terms, "table">[]>(
        `select coalesce((select json_agg(t) from ${table} as t), '[]')::text as rows,
          (select string_agg(quote_ident(attname), ', ') from pg_attribute
            where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '') as columns`,
        [table],
      );
      return { table, ...row! };
    })));
}
