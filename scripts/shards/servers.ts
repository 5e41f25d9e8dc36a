import { addressOf, tlsOf } from "./address.ts";
import { type Fleet, readerOf, type Shard } from "./config.ts";
import { onDatabase } from "./interface.ts";
import { optionsOf } from "./sql.ts";

/** What a task or a report may take, in seconds: the most that the Data API allows. */
const LONG_SECONDS = 60;

/** How long a host may be silent, before and after it has a connection: PL/Proxy heeds no connect_timeout. */
const SILENCE = {
  tcp_user_timeout: "3000",
  keepalives_idle: "3",
  keepalives_interval: "1",
  keepalives_count: "3",
};

/** Connections: PL/Proxy's for calls, which credits_router alone may use, and postgres_fdw's for reading. */
export function serversSql(fleet: Fleet): string {
  const { shards, seconds } = fleet;
  // Longer than statement_timeout on the router, so that it counts only where that one cannot.
  const clusters = { credits: seconds + 2, credits_long: LONG_SECONDS + 2 };
  return [
    ...Object.entries(clusters).map(([name, query_timeout]) =>
      `create server ${name} foreign data wrapper plproxy ${
        optionsOf({
          query_timeout: String(query_timeout),
          ...partsOf(shards, name === "credits_long" ? "url" : "through"),
        })
      };
grant usage on foreign server ${name} to credits_router;
create user mapping for credits_router server ${name} ${
        optionsOf(callLogin(fleet))
      };`
    ),
    ...shards.map((shard) => readingSql(shard, fleet)),
  ].join("\n");
}

/** Where PL/Proxy finds each group of slots: what may take long goes past pgbouncer, whose limit is that of a call. */
function partsOf(
  shards: readonly Shard[],
  way: "through" | "url",
): Record<string, string> {
  const parts = shards.flatMap((shard) =>
    shard.groups.map((group) => [group, connection(shard[way])] as const)
  ).sort(([a], [b]) => a - b);
  return Object.fromEntries(parts.map(([group, at]) => [`p${group}`, at]));
}

/** Sends calls to where the shards now are. */
export function redirectSql({ shards }: Pick<Fleet, "shards">): string {
  const options = (way: "through" | "url") =>
    optionsOf(partsOf(shards, way), "set");
  return `alter server credits ${options("through")};
alter server credits_long ${options("url")};`;
}

/** Reads a shard where it now is. */
export function rereadSql(shard: Shard): string {
  const server = `credits_${shard.name}`;
  const tls = tlsOf(shard.through);
  return `do $$
declare
  former text;
begin
  for former in
    select o.option_name from pg_catalog.pg_foreign_server as s, pg_catalog.pg_options_to_table(s.srvoptions) as o
    where s.srvname = '${server}' and o.option_name like 'ssl%'
  loop
    execute format('alter server ${server} options (drop %I)', former);
  end loop;
end;
$$;
alter server ${server} ${optionsOf(addressOf(shard.through), "set")};${
    Object.keys(tls).length > 0
      ? `\nalter server ${server} ${optionsOf(tls, "add")};`
      : ""
  }`;
}

function connection(url: string): string {
  const all = { ...addressOf(url), ...tlsOf(url), ...SILENCE };
  return Object.entries(all).map(([name, value]) =>
    `${name}='${inConninfo(value)}'`
  ).join(" ");
}

/** PL/Proxy writes '…' around what a mapping says, and escapes nothing in it. */
const inConninfo = (value: string) => value.replace(/[\\']/g, "\\$&");

/** As whom PL/Proxy calls. */
function callLogin({ user, password }: Fleet): Record<string, string> {
  return {
    user: inConninfo(user),
    ...(password ? { password: inConninfo(password) } : {}),
  };
}

/** As whom postgres_fdw reads. */
function readLogin({ user, password }: Fleet): Record<string, string> {
  const reader = readerOf({ user });
  return password
    ? { user: reader, password }
    : { user: reader, password_required: "false" };
}

/** Has a router that is made connect with the password of now. */
export function loginsSql(fleet: Fleet): string {
  const mappings = [
    ...["credits", "credits_long"].map((server) =>
      ["credits_router", server, callLogin(fleet)] as const
    ),
    ...fleet.shards.map(({ name }) =>
      ["public", `credits_${name}`, readLogin(fleet)] as const
    ),
  ];
  return mappings.map(([role, server, login]) =>
    `drop user mapping if exists for ${role} server ${server};
create user mapping for ${role} server ${server} ${optionsOf(login)};`
  ).join("\n");
}

/** @throws where the router has a password that is not given now: half of its connections would have none */
export async function checkPassword(fleet: Fleet): Promise<void> {
  if (fleet.password) return;
  const [has] = await onDatabase(
    fleet.router,
    (sql) =>
      sql`select from pg_user_mappings where srvname = 'credits'
        and array_to_string(umoptions, ' ') like '%password=%'`,
  );
  if (has) throw new Error("SHARDS_PASSWORD is missing: the router has one");
}

/** postgres_fdw's connection to a shard. */
export function readingSql(
  shard: Shard,
  fleet: Fleet,
): string {
  const options = {
    ...addressOf(shard.through),
    ...tlsOf(shard.through),
    connect_timeout: "3",
    ...SILENCE,
  };
  return `create server credits_${shard.name} foreign data wrapper postgres_fdw ${
    optionsOf({ ...options, fetch_size: "1000", async_capable: "true" })
  };
create user mapping for public server credits_${shard.name} ${
    optionsOf(readLogin(fleet))
  };`;
}
