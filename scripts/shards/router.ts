import { readFile } from "node:fs/promises";
import { type Fleet, readerOf, type Shard } from "./config.ts";
import { dumpSchema, type Part } from "./dump.ts";
import { proxySql } from "./functions.ts";
import {
  readInterface,
  readUserTriggers,
  readViews,
  type Routine,
  type ShardView,
} from "./interface.ts";
import { serversSql } from "./servers.ts";
import { literal } from "./sql.ts";
import {
  isHeld,
  keptParts,
  partsOfShard,
  type Relation,
  tableOf,
  viewOf,
} from "./tables.ts";
import { publicationSql } from "./terms.ts";

/** What the router is made of. */
export interface Router {
  /** One script for a superuser. */
  readonly sql: string;
  /** What lies on the shards. */
  readonly relations: readonly Relation[];
}

/** What the router does otherwise than a shard: the functions of merges.ts that are its own, and its tasks. */
const OWN = [
  "memberships",
  "references",
  "people",
  "members",
  "transfers",
  "books",
  "operators",
  "operator_set",
  "operator_actions",
  "operator_reads",
  "maintenance",
  "waiting",
  "tasks",
];

function readSql(name: string): Promise<string> {
  return readFile(new URL(`./${name}.sql`, import.meta.url), "utf8");
}

/** All of the router, from the catalog of the first shard. */
export async function makeRouter(fleet: Fleet): Promise<Router> {
  const [first] = fleet.shards;
  if (!first) throw new Error("no shard: name one in the file");
  const [parts, routines, views, triggers, helpers, places, own] = await Promise
    .all([
      dumpSchema(first.url),
      readInterface(first.url),
      readViews(first.url),
      readUserTriggers(first.url),
      readSql("router"),
      readSql("places"),
      Promise.all(OWN.map((topic) => readSql(`own/${topic}`))),
    ]);
  const { sql, relations } = objectsOf(parts, routines, views);
  const script = [
    "set check_function_bodies = off;\nset search_path = '';",
    rolesSql(fleet),
    serversSql(fleet),
    helpers,
    places,
    ...sql,
    ...fleet.shards.map((shard) => partsOfShard(relations, shard)),
    groupsSql(fleet.shards),
    ...own,
    ...triggers,
    rightsSql,
    publicationSql,
    limitsSql(fleet),
    scheduleSql,
  ].join("\n\n");
  return { sql: script, relations };
}

/** Roles that a shard's schema names, and the one that owns the router's functions. */
function rolesSql({ user }: Fleet): string {
  const roles = [
    user,
    readerOf({ user }),
    "credits_router",
    "credits_auditor",
  ];
  const makes = [...new Set(roles)].map((role) =>
    `  if to_regrole(${
      literal(role)
    }) is null then create role ${role}; end if;`
  );
  return `do $$\nbegin\n${makes.join("\n")}\nend;\n$$;
-- Its functions read what no policy shows to anybody; on a shard's own server it could already.
alter role credits_router bypassrls;
create extension if not exists plproxy schema extensions;
create extension if not exists postgres_fdw schema extensions;
create schema credits_router authorization credits_router;
${closedSql}`;
}

/** What this role's new objects are open to by default: pg_dump takes nothing back that a shard never gave. */
const closedSql = `do $$
declare
  given record;
begin
  for given in
    select distinct case d.defaclobjtype when 'r' then 'tables' when 'f' then 'functions' when 'S' then 'sequences' end
        as objects, n.nspname as schema, r.rolname as role
    from pg_default_acl as d cross join lateral aclexplode(d.defaclacl) as p
    join pg_roles as r on r.oid = p.grantee left join pg_namespace as n on n.oid = d.defaclnamespace
    where d.defaclrole = current_user::regrole and d.defaclobjtype in ('r', 'f', 'S') and p.grantee <> d.defaclrole
      and coalesce(n.nspname, 'public') in ('public', 'credits')
  loop
    execute format('alter default privileges %s revoke all on %s from %I',
      'in schema ' || quote_ident(given.schema), given.objects, given.role);
  end loop;
end;
$$;`;

/** A shard's schema, in its order: functions send, tables of accounts lie on the shards, all else is the same. */
function objectsOf(
  parts: readonly Part[],
  routines: readonly Routine[],
  views: readonly ShardView[],
): { sql: string[]; relations: Relation[] } {
  const offered = new Map(
    routines.map((routine) => [plain(routine.identity), routine]),
  );
  const merged = new Map(
    views.map((view) => [`${view.schema}.${view.name}`, view]),
  );
  const relations: Relation[] = [];
  const remote = (made: { relation: Relation; sql: string }) => {
    relations.push(made.relation);
    return made.sql;
  };
  const sql = keptParts(parts).map((part) => {
    if (part.type === "TABLE" && !isHeld(part)) return remote(tableOf(part));
    const view = merged.get(
      `${part.schema}.${part.name.replace(" _RETURN", "")}`,
    );
    if (view && part.type === "VIEW") return remote(viewOf(view));
    if (view && part.type === "RULE") return "";
    const routine = part.type === "FUNCTION"
      ? offered.get(plain(`${part.schema}.${part.name}`))
      : undefined;
    return (routine && proxySql(routine)) ?? nearSql(part);
  });
  return { sql, relations };
}

const OWN_ROWS =
  /\((\w+(?:\.\w+)?) = ANY \(ARRAY\( SELECT credits\.my_(?:paying_)?account_ids\(\) AS my_(?:paying_)?account_ids\)\)\)/g;

const PLANNED =
  "( SELECT credits_router.planned_for(credits_router.my_places()) AS planned_for)";

/** Where users read their own rows, the shards that have none are not asked: Postgres knows it when it plans. */
function nearSql({ type, sql }: Part): string {
  return type === "POLICY" || type === "VIEW"
    ? sql.replace(
      OWN_ROWS,
      (whole, column) =>
        `(${whole} AND (${column} = ANY (credits_router.my_places())) AND ${PLANNED})`,
    )
    : sql;
}

/** An identity without what pg_dump and Postgres write differently. */
function plain(identity: string): string {
  return identity.replaceAll(", ", ",");
}

/** Which shard has which groups. */
export function groupsSql(shards: readonly Shard[]): string {
  const groups = shards.flatMap(({ name, groups }) =>
    groups.map((group) => `(${group}, ${literal(name)})`)
  );
  return `insert into credits_router.groups as g (number, shard) values ${
    groups.join(", ")
  }
on conflict (number) do update set shard = excluded.shard;`;
}

const rightsSql = `grant credits_router to postgres;
grant usage on schema credits, auth to credits_router;
grant usage on schema credits_router to authenticated;
revoke execute on all functions in schema credits_router from public;
grant execute on function credits_router.my_places(), credits_router.planned_for(uuid[]) to authenticated;
grant select on all tables in schema credits_router, public to credits_router;
grant insert, update, delete on credits_router.memberships, credits_router.references_waiting,
  credits_router.operator_changes, credits_router.operator_mutes to credits_router;
grant update (muted_until) on public.credit_alert_rules to credits_router;
grant select, insert, update, delete on credits.handovers to credits_router;
grant select, delete on credits.sign_ups_due to credits_router;
grant select on credits.shard, auth.users to credits_router;
grant execute on all functions in schema credits to credits_router;
grant execute on all functions in schema credits_router to credits_router;`;

function limitsSql({ seconds }: Fleet): string {
  return `do $$
begin
  execute format('alter database %I set statement_timeout = %L', current_database(), '${seconds}s');
  -- credits_router.my_places is another array for each caller: no plan may be kept.
  execute format('alter database %I set plan_cache_mode = force_custom_plan', current_database());
  execute format('alter database %I set search_path = "$user", public, extensions', current_database());
end;
$$;`;
}

/** The router's tasks, each minute, for longer than a call may take, where its server has pg_cron in this database. */
const scheduleSql = `do $$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    perform cron.schedule('credits-router', '* * * * *',
      'set statement_timeout = ''5min''; select credits_router.run_tasks()');
  end if;
end;
$$;`;
