import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { type Stack, startStack } from "../../scripts/stack/index.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { startPostgres } from "../../scripts/stack/postgres.ts";
import { THROW_AWAY } from "../../scripts/test/database.ts";
import { fillHome } from "../../scripts/test/template.ts";
import { linkPackages, serveFunctions } from "./app_functions.ts";

/** A stack whose SQL and functions are of two releases. */
export interface ReleaseStack {
  readonly stack: Stack;
  readonly sql: Sql;
  readonly stop: () => Promise<void>;
}

/**
 * Starts a stack.
 *
 * @param migrations SQL that makes its schema, in order
 * @param app a folder in which the installer has written the functions; the project's own unless told
 */
export async function startReleaseStack(
  migrations: readonly string[],
  app?: string,
): Promise<ReleaseStack> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-two-releases-"));
  await fillHome(home, "fresh");
  const database = await startPostgres({
    home,
    port: await freePort(),
    settings: THROW_AWAY,
  });
  await run(database.url(), migrations).finally(() => database.stop());
  const stack = await startStack({
    project: process.cwd(),
    home,
    port: 0,
    dbPort: 0,
    migrated: true,
    settings: THROW_AWAY,
  });
  const stops = [() => stack.stop()];
  if (app) {
    await stack.functions.stop();
    await linkPackages(app);
    const served = await serveFunctions(app, {
      url: stack.url,
      publishableKey: stack.keys.publishable,
      secretKey: stack.keys.secret,
      jwtSecret: stack.keys.jwtSecret,
      databaseUrl: stack.database.url(),
    });
    stack.functions = {
      url: served.url.replace(/\/functions\/v1$/, ""),
      pid: 0,
      ended: Promise.resolve(),
      stop: served.stop,
    };
  }
  const sql = postgres(stack.database.url(), { max: 1, onnotice: () => {} });
  return {
    stack,
    sql,
    stop: async () => {
      await sql.end();
      for (const stop of stops) await stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function run(url: string, migrations: readonly string[]): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    for (const text of migrations) {
      await sql.begin((tx) => tx.unsafe(text));
    }
    await sql`update public.credit_scheduled_tasks set created_at = now()`;
  } finally {
    await sql.end();
  }
}
