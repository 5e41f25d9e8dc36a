import { readFile } from "node:fs/promises";
import { withDatabase } from "../database.ts";
import { onDebianServer, type ServerKind } from "../debian_server.ts";
import { executeScript } from "../prepare.ts";

/** A database for each way in; pg_cron runs in the first. */
export const DATABASES = ["postgres", "bundled", "adopted"] as const;

/** One of the databases. */
export type DatabaseName = typeof DATABASES[number];

/** Whom a project's database knows as a log-in. */
export type LogIn =
  | "postgres"
  | "authenticator"
  | "supabase_auth_admin"
  | "supabase_admin";

/** The URL of a database for somebody. */
export type UrlOf = (name: DatabaseName, role?: LogIn) => string;

/** The server of a hosted project, as near as Debian's Postgres comes. */
const HOSTED: ServerKind = {
  locale: ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.utf8"],
  settings: {
    wal_level: "logical",
    timezone: "UTC",
    statement_timeout: "2min",
    max_connections: "60",
    shared_preload_libraries: "pg_cron",
    // pg_cron opens a connection for each job, as postgres.
    "cron.host": "127.0.0.1",
    fsync: "off",
  },
  prepare: prepareHosted,
};

async function prepareHosted(superuserUrl: string): Promise<void> {
  await executeScript(superuserUrl, await read("roles.sql"));
  for (const name of DATABASES) {
    if (name !== "postgres") {
      await executeScript(
        superuserUrl,
        `create database ${name} owner postgres`,
      );
    }
    const url = withDatabase(superuserUrl, name);
    await executeScript(
      url,
      `grant create on database ${name} to supabase_auth_admin`,
    );
    for (const part of ["schemas", "auth", "stand_ins", "event_triggers"]) {
      await executeScript(url, await read(`${part}.sql`));
    }
  }
  // The dashboard's switch: the platform lets postgres create this one.
  await executeScript(superuserUrl, "create extension pg_cron");
}

function read(name: string): Promise<string> {
  return readFile(new URL(`./${name}`, import.meta.url), "utf8");
}

/** Runs an action on a throw-away server of that kind. */
export function onHostedServer<T>(
  action: (urlOf: UrlOf) => Promise<T>,
): Promise<T> {
  return onDebianServer((url) => {
    const urlOf: UrlOf = (name, role = "postgres") => {
      const changed = new URL(withDatabase(url, name));
      changed.username = role;
      return changed.href;
    };
    return action(urlOf);
  }, HOSTED);
}
