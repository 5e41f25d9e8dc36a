import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { startApi } from "../stack/api.ts";
import { removeHome } from "../stack/home.ts";
import { loadKeys } from "../stack/keys.ts";
import { type PostgresServer, startPostgres } from "../stack/postgres.ts";
import { freePort } from "../stack/port.ts";

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

/**
 * Starts a throw-away database on a free port, with the auth schema in it and
 * pgTAP in schema extensions.
 *
 * @param settings of the server, beyond what startPostgres sets
 */
export async function startTestDatabase(
  settings: Record<string, string> = {},
): Promise<TestDatabase> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-test-"));
  const port = await freePort();
  const server = await startPostgres({ home, port, settings });
  const stop = async () => {
    await server.stop();
    removeHome(home);
  };
  const superuserUrl = server.url("supabase_admin");
  try {
    await prepareAuth(superuserUrl, home);
    await executeScript(
      superuserUrl,
      "create extension pgtap schema extensions",
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: server.url("postgres"), superuserUrl, home, server, stop };
}

/** Makes schema auth, as the stack's own Auth does. */
export async function prepareAuth(
  superuserUrl: string,
  home: string,
): Promise<void> {
  const api = await startApi({
    url: superuserUrl,
    keys: loadKeys(home),
    siteUrl: "http://127.0.0.1",
  });
  await api.close();
}

/** Executes SQL text that may hold several statements. */
export async function executeScript(
  databaseUrl: string,
  script: string,
): Promise<void> {
  const client = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await client.unsafe(script);
  } finally {
    await client.end({ timeout: 5 });
  }
}

/** Makes a database that is a copy of the server's own. */
export async function createDatabase(
  { superuserUrl }: TestDatabase,
  name: string,
): Promise<void> {
  // A database cannot be copied while anybody is connected to it.
  await executeScript(
    withDatabase(superuserUrl, "template1"),
    `create database ${name} template postgres owner postgres`,
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
