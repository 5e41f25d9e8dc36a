import type { Routine } from "./interface.ts";
import { type Merge, MERGES } from "./merges.ts";

const VOLATILITY = { v: "volatile", s: "stable", i: "immutable" };

/** Who calls, as the Data API says it; auth.uid() reads one setting or the other. */
const CALLER = [
  "current_setting('role')",
  "current_setting('request.jwt.claim.sub', true)",
  "current_setting('request.jwt.claims', true)",
];

/** Where a function is sent. */
type Route = { readonly by: "slot"; readonly slot: string } | Merge;

/** @throws for a function that neither an account, a job nor the list of merges decides on */
export function routeOf({ schema, name, names }: Routine): Route {
  const merge = MERGES[`${schema}.${name}`];
  if (merge) return merge;
  if (names.includes("p_account_id")) {
    return { by: "slot", slot: "account_slot(p_account_id)" };
  }
  if (names.includes("p_job_id")) {
    return { by: "slot", slot: "job_slot(p_job_id)" };
  }
  if (name.startsWith("operator_")) {
    return {
      by: "refused",
      reason: "Operators act on each shard.",
    };
  }
  throw new Error(
    `${schema}.${name} has no p_account_id and no p_job_id: say in merges.ts how the results of all shards merge`,
  );
}

/** The function on the router, under its own name and with its own result; undefined: as it is on a shard. */
export function proxySql(routine: Routine): string | undefined {
  const route = routeOf(routine);
  if (route.by === "router") return undefined;
  if (route.by === "refused") return outerSql(routine, refusal(routine, route));
  return `${innerSql(routine, route)}\n${
    outerSql(routine, callSql(routine, route))
  }`;
}

function innerName({ schema, name }: Routine): string {
  return `credits_router.${schema === "public" ? "" : `${schema}_`}${name}`;
}

/** The call of a shard, in PL/Proxy. */
function innerSql(routine: Routine, route: Route): string {
  const { input, schema, name, types, for_users } = routine;
  const identity = for_users
    ? ["p_role text", "p_sub text", "p_claims text"]
    : [];
  const first = identity.length + 1;
  const values = types.map((type, i) => `$${first + i}::${type}`).join(", ");
  const call = `${schema}.${name}(${values})`;
  const [result, columns] = innerResult(routine);
  const from = for_users ? asCaller(call) : `${call} as r`;
  return `create function ${innerName(routine)}(${
    [...identity, input].filter(Boolean).join(", ")
  })
returns ${result} language plproxy as $proxy$
  cluster 'credits';
  run on ${runOn(route)};
  select ${columns} from ${from};
$proxy$;`;
}

/**
 * The shard does what the caller may: the role and the claims are set for this one statement. OFFSET with a value
 * of the first part makes Postgres evaluate that part first, whatever it plans.
 */
function asCaller(call: string): string {
  return `(select set_config('role', $1, true) as a,
      set_config('request.jwt.claim.sub', coalesce($2, ''), true) as b,
      set_config('request.jwt.claims', coalesce($3, ''), true) as c offset 0) as s,
    lateral (select * from ${call} as r offset length(s.a || s.b || s.c) * 0) as r`;
}

/** The type of the inner function, and the columns that it selects. */
function innerResult(routine: Routine): [string, string] {
  const { result, type, returns_void, returns_row, returns_set } = routine;
  const merge = routeOf(routine).by;
  if (returns_void) return ["setof text", "'done'::text as r"];
  if (returns_row) {
    return [
      merge === "rows" && !returns_set ? `setof ${type}` : result,
      "r.*",
    ];
  }
  return [merge === "sum" || returns_set ? `setof ${type}` : result, "r.*"];
}

function runOn(route: Route): string {
  switch (route.by) {
    case "slot":
      return `credits_router.${route.slot}`;
    case "new":
      return `credits_router.account_slot(${route.argument})`;
    case "pair":
      return `credits_router.account_slot(${route.from})`;
    case "any":
      return "any";
    default:
      return "all";
  }
}

/** What the outer function does. */
function callSql(routine: Routine, route: Route): string {
  const { names, for_users, returns_set, returns_void, type } = routine;
  const given = names.map((name) =>
    route.by === "new" && name === route.argument
      ? `coalesce(${name}, gen_random_uuid())`
      : name
  );
  const identity = for_users ? CALLER : [];
  const call = `${innerName(routine)}(${[...identity, ...given].join(", ")})`;
  const check = route.by === "pair"
    ? `  perform credits_router.check_same_shard(${route.from}, ${route.to});\n`
    : "";
  if (returns_void) return `${check}  perform * from ${call};`;
  if (returns_set) return `${check}  return query select * from ${call};`;
  if (route.by === "sum") {
    return `${check}  return (select sum(r)::${type} from ${call} as r);`;
  }
  return `${check}  return ${call};`;
}

function refusal({ name }: Routine, { reason }: { reason: string }): string {
  return `  raise exception using errcode = '0A000', message = '${name} cannot be called through the router',
    hint = '${reason}';`;
}

/** The function that callers see. It says what went wrong in the shard's words, without names of databases. */
function outerSql(routine: Routine, body: string): string {
  const { schema, name, result, volatility } = routine;
  return `create function ${schema}.${name}(${routine.arguments})
returns ${result} language plpgsql ${
    VOLATILITY[volatility]
  } security definer set search_path = '', pg_temp
as $proxy$
#variable_conflict use_variable
declare
  message text;
  detail text;
  hint text;
begin
${body}
exception when others then
  get stacked diagnostics message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, message, detail, hint);
${routine.returns_set || routine.returns_void ? "" : "  return null;\n"}end;
$proxy$;
alter function ${routine.identity} owner to credits_router;`;
}
