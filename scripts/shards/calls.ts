import type { Routine } from "./interface.ts";
import { routeOf } from "./routes.ts";

/** Who calls, as the Data API says it; auth.uid() reads one setting or the other. */
const CALLER = [
  "current_setting('role')",
  "current_setting('request.jwt.claim.sub', true)",
  "current_setting('request.jwt.claims', true)",
];

function innerName({ schema, name }: Routine): string {
  return `credits_router.${schema === "public" ? "" : `${schema}_`}${name}`;
}

/** The call of the shard that has a slot, in PL/Proxy. */
export function innerSql(routine: Routine): string {
  const { input, schema, name, types, for_users, counts_for_day, timeout } =
    routine;
  const identity = [
    ...for_users
      ? ["caller_role text", "caller_sub text", "caller_claims text"]
      : [],
    ...counts_for_day ? ["used_elsewhere bigint"] : [],
  ];
  const first = identity.length + 2;
  const values = types.map((type, i) => `$${first + i}::${type}`).join(", ");
  const call = `${schema}.${name}(${values})`;
  const [result, columns] = innerResult(routine);
  const from = for_users ? asCaller(call, counts_for_day) : `${call} as r`;
  const route = routeOf(routine);
  const isLong = timeout || "each" in route && route.each;
  return `create function ${innerName(routine)}(${
    ["p_slot integer", ...identity, input].filter(Boolean).join(", ")
  })
returns ${result} language plproxy as $proxy$
  cluster '${isLong ? "credits_long" : "credits"}';
  run on p_slot;
  select ${columns} from ${from};
$proxy$;`;
}

/**
 * The shard does what the caller may: the role and the claims are set for this one statement. OFFSET with a value
 * of the first part makes Postgres evaluate that part first, in any plan.
 */
function asCaller(call: string, counts_for_day: boolean): string {
  const [day, set] = counts_for_day
    ? [
      `,
      set_config('credits.operator_used_elsewhere', coalesce($5::text, ''), true) as d`,
      "s.a || s.b || s.c || s.d",
    ]
    : ["", "s.a || s.b || s.c"];
  return `(select set_config('role', $2, true) as a,
      set_config('request.jwt.claim.sub', coalesce($3, ''), true) as b,
      set_config('request.jwt.claims', coalesce($4, ''), true) as c${day} offset 0) as s,
    lateral (select * from ${call} as r offset length(${set}) * 0) as r`;
}

/** The type of the inner function, and the columns that it selects. */
function innerResult(
  { result, returns_void, returns_set, type }: Routine,
): [string, string] {
  if (returns_void) return ["text", "'done'::text as r"];
  if (result.startsWith("TABLE")) return [result, "r.*"];
  return [returns_set ? `setof ${type}` : result, "r.*"];
}

/** A call of the inner function on the shard of a slot. */
export function callOf(
  routine: Routine,
  slot: string,
  given: (name: string) => string = (name) => name,
): string {
  const { names, for_users, counts_for_day } = routine;
  const values = [
    slot,
    ...for_users ? CALLER : [],
    ...counts_for_day
      ? [`credits_router.operator_used_elsewhere(${slot})`]
      : [],
    ...names.map(given),
  ];
  return `${innerName(routine)}(${values.join(", ")})`;
}
