import postgres from "postgres";
import { makeBundleFile } from "../../scripts/deploy/bundle.ts";
import { withDatabase } from "../../scripts/test/database.ts";
import {
  onDebianServer,
  type ServerKind,
} from "../../scripts/test/debian_server.ts";
import { executeScript, prepareServices } from "../../scripts/test/prepare.ts";
import type { Fleet } from "../../scripts/shards/config.ts";
import { readFile } from "node:fs/promises";

export const SHARDS = ["s0", "s1", "s2", "s3"] as const;

/** A server with four shards and an empty database for the router. */
const KIND: ServerKind = {
  locale: ["--locale=C"],
  settings: { fsync: "off", max_connections: "200", timezone: "UTC" },
  prepare: async (superuserUrl, folder) => {
    const roles = new URL("../../scripts/stack/roles.sql", import.meta.url);
    await executeScript(superuserUrl, await readFile(roles, "utf8"));
    await prepareServices(superuserUrl, folder);
    const server = withDatabase(superuserUrl, "template1");
    await copy(server, "postgres", "router");
    await executeScript(
      asPostgres(superuserUrl),
      await makeBundleFile(process.cwd()),
    );
    for (const name of SHARDS) await copy(server, "postgres", name);
  },
};

async function copy(server: string, from: string, to: string): Promise<void> {
  await executeScript(
    server,
    `create database ${to} template ${from} owner postgres`,
  );
}

function asPostgres(superuserUrl: string): string {
  const url = new URL(superuserUrl);
  url.username = "postgres";
  return url.href;
}

/** Runs an action on four shards that trust the router; the router is not made yet. */
export function onFleet<T>(action: (fleet: Fleet) => Promise<T>): Promise<T> {
  return onDebianServer((url) => {
    const admin = new URL(url);
    admin.username = "supabase_admin";
    const of = (name: string) => withDatabase(admin.href, name);
    return action({
      router: of("router"),
      shards: SHARDS.map((name, i) => ({
        name,
        url: of(name),
        through: of(name),
        groups: [i, i + 4, i + 8, i + 12],
      })),
      user: "credits_router",
      seconds: 8,
    });
  }, KIND);
}

/** Runs an action in a transaction as a role of the Data API. */
export function as<T>(
  sql: postgres.Sql,
  role: string,
  sub: string | undefined,
  action: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  return sql.begin(async (tx) => {
    const claims = JSON.stringify({ role, sub });
    await tx`select set_config('role', ${role}, true),
      set_config('request.jwt.claim.sub', ${sub ?? ""}, true),
      set_config('request.jwt.claims', ${claims}, true)`;
    return await action(tx);
  }) as Promise<T>;
}
