import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { Fleet } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { startStack } from "../../scripts/stack/index.ts";
import { freePort } from "../../scripts/stack/port.ts";
import type { PostgresServer } from "../../scripts/stack/postgres.ts";
import type { TestFleet } from "../../scripts/test/fleet.ts";
import { arrangeDatabase } from "./models.ts";
import { startOpenAiServer } from "./openai_server.ts";
import { functionsEnvironment, type WorkerStack } from "./worker_stack.ts";

/**
 * Starts a stack whose database is the router of four shards, for the same tests as on one database.
 *
 * What tests arrange behind the interface goes through the router's tables, too: its superuser may write to the
 * shards by them.
 */
export async function startRouterStack(
  project: string,
  { fleet }: TestFleet,
): Promise<WorkerStack> {
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-router-"));
  await letTestsWrite(fleet);
  const openai = await startOpenAiServer();
  const webhookPort = await freePort();
  const stack = await startStack({
    project,
    home,
    port: 0,
    dbPort: 0,
    migrated: true,
    database: serverOf(fleet),
    env: functionsEnvironment(
      openai.baseUrl,
      `http://127.0.0.1:${webhookPort}`,
    ),
  });
  const details = {
    url: stack.url,
    publishableKey: stack.keys.publishable,
    secretKey: stack.keys.secret,
    jwtSecret: stack.keys.jwtSecret,
    databaseUrl: fleet.router,
    superuserUrl: fleet.router,
    webhookPort,
  };
  const stop = async () => {
    await stack.stop();
    await openai.close();
    await rm(home, { recursive: true, force: true });
  };
  return { details, stop };
}

/** The router, as a stack sees its database. */
function serverOf({ router }: Fleet): PostgresServer {
  const url = (role = "supabase_admin") => {
    const address = new URL(router);
    address.username = role === "postgres" ? "supabase_admin" : role;
    return address.href;
  };
  const { port } = new URL(router);
  return {
    port: Number(port),
    pid: 0,
    url,
    ended: new Promise(() => {}),
    stop: async () => {},
  };
}

/**
 * Lets the superuser of the router write to the shards, through the router's tables. A test's change of prices or
 * plans is on every shard when it returns; without that it comes there a moment later.
 */
async function letTestsWrite({ router, shards }: Fleet): Promise<void> {
  const sql = postgres(router, { max: 1, onnotice: () => {} });
  for (const { name, url } of shards) {
    await sql.unsafe(
      `create user mapping for supabase_admin server credits_${name} options (user 'supabase_admin', password_required 'false')`,
    );
    await onDatabase(
      url,
      (shard) =>
        shard.unsafe(`alter database ${name} set synchronous_commit = local`),
    );
  }
  await sql.unsafe(
    "alter database router set synchronous_commit = remote_apply",
  );
  await sql.unsafe(
    `alter system set synchronous_standby_names = 'ANY ${shards.length} (credits_terms)'`,
  );
  await sql`select pg_reload_conf()`;
  await sql.end();
  await onDatabase(router, arrangeDatabase);
}
