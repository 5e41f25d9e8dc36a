import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeHome } from "../stack/home.ts";
import { type PostgresServer, startPostgres } from "../stack/postgres.ts";
import { freePort } from "../stack/port.ts";
import { executeScript } from "./prepare.ts";
import { fillHome, MIGRATED_NOW } from "./template.ts";

/** A Postgres server of its own, as a Supabase project is before migrations. */
export interface TestDatabase {
  /** Connects as `postgres`, the role that owns the schema. */
  readonly url: string;
  /** Connects as the superuser. */
  readonly superuserUrl: string;
  /** The folder that binaries and data are in. */
  readonly home: string;
  readonly server: PostgresServer;
  /** Ends the server and removes its folder. */
  readonly stop: () => Promise<void>;
}

/** How a throw-away database differs from one before our migrations, with Postgres' own settings. */
export interface TestDatabaseOptions {
  /** Whether it has our migrations. */
  readonly migrated?: boolean;
  /** Settings of the server, beyond what startPostgres sets. */
  readonly settings?: Record<string, string>;
}

/** What is lost when the machine itself stops, a throw-away database may lose. */
export const THROW_AWAY = { fsync: "off" };

/**
 * Starts a throw-away server on a free port, with the auth schema and pgTAP in
 * its database.
 */
export async function startTestDatabase(
  { migrated = false, settings = {} }: TestDatabaseOptions = {},
): Promise<TestDatabase> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-test-"));
  let started: PostgresServer | undefined;
  const stop = async () => {
    await started?.stop();
    removeHome(home);
  };
  try {
    await fillHome(home, migrated ? "migrated" : "fresh");
    const server = await startPostgres({
      home,
      port: await freePort(),
      settings: { ...THROW_AWAY, ...settings },
    });
    started = server;
    if (migrated) await executeScript(server.url(), MIGRATED_NOW);
    const superuserUrl = server.url("supabase_admin");
    return { url: server.url("postgres"), superuserUrl, home, server, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes a database that is a copy of the server's own, or of another that nobody is connected to. */
export async function createDatabase(
  { superuserUrl }: TestDatabase,
  name: string,
  template = "postgres",
): Promise<void> {
  // A database cannot be copied while anybody is connected to it.
  await executeScript(
    withDatabase(superuserUrl, "template1"),
    `create database ${name} template ${template} owner postgres`,
  );
  await executeScript(
    withDatabase(superuserUrl, "template1"),
    `alter database ${name} set search_path = "$user", public, extensions`,
  );
}

/** The connection string of another database on the same server. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
