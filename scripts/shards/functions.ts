import { callOf, innerSql } from "./calls.ts";
import type { Routine } from "./interface.ts";
import type { Merge } from "./merges.ts";
import { notesSql, routeOf } from "./routes.ts";

const VOLATILITY = { v: "volatile", s: "stable", i: "immutable" };

/** The function on the router, under its own name and with its own result; undefined: as it is on a shard. */
export function proxySql(routine: Routine): string | undefined {
  const route = routeOf(routine);
  if (route.by === "router") return undefined;
  // As on a shard, until a file of own/ replaces it.
  if (route.by === "own") {
    const each = route.each ? [eachSql(routine)] : [];
    return [innerSql(routine), ...each, ownSql(routine)].join("\n");
  }
  return `${innerSql(routine)}\n${outerSql(routine, bodyOf(routine, route))}`;
}

/** For a file of own/ to replace; what needs it, such as policies, can be made. */
function ownSql(routine: Routine): string {
  return outerSql(routine, "  raise exception 'a file of own/ replaces this';");
}

/** What the outer function does. */
function bodyOf(routine: Routine, route: Merge): string {
  switch (route.by) {
    case "slot":
      return oneSql(routine, callOf(routine, route.slot));
    case "new":
      return `  perform credits.team_id_check(${route.argument});
  ${route.argument} := coalesce(${route.argument}, gen_random_uuid());
${
        oneSql(
          routine,
          callOf(routine, `credits_router.account_slot(${route.argument})`),
        )
      }`;
    case "sum":
      return `${
        loopSql(
          `      total := coalesce(total, 0) + coalesce(${
            callOf(routine, "slot")
          }, 0);`,
          "      unreachable := true;",
        )
      }
  if unreachable then
    perform credits_router.raise_outage();
  end if;
  return total;`;
    case "page": {
      const ofAccount = routine.names.includes("p_account_id")
        ? `  if p_account_id is not null then
  ${
          oneSql(
            routine,
            callOf(routine, "credits_router.account_slot(p_account_id)"),
          )
        }
    return;
  end if;
`
        : "";
      return `${ofAccount}${
        loopSql(
          `      found_rows := found_rows || array(select r from ${
            callOf(routine, "slot")
          } as r);`,
          "      silent := silent || shard;",
        )
      }
  -- A page without a shard's rows would look whole, and its last key would leave them out for good.
  perform credits_router.raise_silent(silent, null);
  return query select r.* from unnest(found_rows) as r order by ${route.order} limit p_limit;`;
    }
    case "search": {
      const also = route.also
        ? `
  return query ${route.also};
  is_found := is_found or found;`
        : "";
      return `${
        loopSql(
          `      return query select r.* from ${callOf(routine, "slot")} as r;
      is_found := is_found or found;`,
          "      silent := silent || shard;",
        )
      }${also}
  if not is_found then
    perform credits_router.raise_silent(silent, null);
  end if;`;
    }
    case "rows": {
      const columns = route.columns ?? "r.*";
      const also = route.also ? `\n  return query ${route.also};` : "";
      return loopSql(
        `      return query select ${columns} from ${
          callOf(routine, "slot")
        } as r;`,
        route.unreachable
          ? `      return query select ${route.unreachable};`
          : "      null;",
      ) + also;
    }
    case "claim":
      return loopSql(
        `      return query select * from ${
          callOf(
            routine,
            "slot",
            (name) => name === route.limit ? `${name} - claimed` : name,
          )
        };
      get diagnostics answers = row_count;
      claimed := claimed + answers;
      exit when claimed >= ${route.limit};`,
        "      null;",
        "random()",
      );
    case "first":
      return `${
        loopSql(
          `      answer := ${callOf(routine, "slot")};
      if ${route.found} then
        return answer;
      end if;`,
          "      unreachable := true;",
        )
      }
  if unreachable then
    perform credits_router.raise_outage();
  end if;
  return answer;`;
    default:
      throw new Error(`${routine.name}: no body for ${route.by}`);
  }
}

/** One shard does it. */
function oneSql(routine: Routine, call: string): string {
  const { returns_set, returns_void } = routine;
  const note = notesSql(routine);
  if (returns_void) return `${note}  perform ${call};`;
  if (returns_set) return `${note}  return query select * from ${call};`;
  return `${note}  return ${call};`;
}

/** Each shard does it; an error of one does not stop the others. */
function loopSql(
  does: string,
  otherwise: string,
  order = "slot",
): string {
  return `  for shard, slot in select s.shard, s.slot from credits_router.shards as s order by ${
    order === "slot" ? "s.slot" : order
  } loop
    begin
      perform credits_router.silent_check(shard);
${does}
    exception when others then
      get stacked diagnostics router_message = message_text;
      if not credits_router.is_outage(sqlstate, router_message) then
        raise;
      end if;
${otherwise}
    end;
  end loop;`;
}

/** What each shard answers to a function, with its name: for operators. */
function eachSql(routine: Routine): string {
  const { name } = routine;
  const call = callOf(routine, "s.slot");
  return `create function credits_router.each_${name}(${routine.arguments})
returns table (shard text, unreachable boolean, answer jsonb) language plpgsql security definer
set search_path = '', pg_temp set statement_timeout = '60s'
as $proxy$
#variable_conflict use_variable
declare
  router_message text;
  slot integer;
begin
${
    loopSql(
      `      return query select shard, false, to_jsonb(r) from ${
        call.replace("s.slot", "slot")
      } as r;`,
      "      return query select shard, true, null::jsonb;",
    )
  }
end;
$proxy$;
alter function credits_router.each_${name} owner to credits_router;`;
}

/** The function that callers see. It says what went wrong in the shard's words, without names of databases. */
function outerSql(routine: Routine, body: string): string {
  const { schema, name, result, volatility, type, timeout } = routine;
  const checks = [
    volatility === "v" &&
    `  perform credits_router.write_check('${name}');\n`,
    routine.for_users && name.startsWith("operator_") &&
    `  perform credits_router.operator_check${
      volatility === "v" ? "_writes" : ""
    }();\n`,
  ].filter(Boolean).join("");
  return `create function ${schema}.${name}(${routine.arguments})
returns ${result} language plpgsql ${
    VOLATILITY[volatility]
  } security definer set search_path = '', pg_temp${
    timeout ? ` set statement_timeout = '${timeout}'` : ""
  }
as $proxy$
#variable_conflict use_variable
declare
  router_message text;
  router_detail text;
  router_hint text;
${variablesSql(routine, type)}begin
${checks}${body}
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
${routine.returns_set || routine.returns_void ? "" : "  return null;\n"}end;
$proxy$;
alter function ${routine.identity} owner to credits_router;`;
}

function variablesSql(routine: Routine, type: string): string {
  const { by } = routeOf(routine);
  const looped = "  shard text;\n  slot integer;\n";
  switch (by) {
    case "rows":
      return looped;
    case "page":
      return `${looped}  found_rows ${type}[];\n  silent text[] := '{}';\n`;
    case "search":
      return `${looped}  is_found boolean := false;\n  silent text[] := '{}';\n`;
    case "claim":
      return `${looped}  claimed integer := 0;\n  answers integer;\n`;
    case "sum":
      return `${looped}  total ${type};\n  unreachable boolean := false;\n`;
    case "first":
      return `${looped}  answer ${type};\n  unreachable boolean := false;\n`;
    default:
      return "";
  }
}
