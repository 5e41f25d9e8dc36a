import type { Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { startApi } from "./api.ts";
import { serveConsole } from "./console.ts";
import { type Functions, startFunctions } from "./functions.ts";
import { startGateway } from "./gateway.ts";
import { type Keys, loadKeys } from "./keys.ts";
import { pushMigrations } from "./migrate.ts";
import { exampleApp } from "./pages/app.ts";
import { freePort, wantedPort } from "./port.ts";
import { type PostgresServer, startPostgres } from "./postgres.ts";
import { sandbox } from "./sandbox/index.ts";
import { type Clock, startSchedule } from "./schedule.ts";

/** What a stack is started with. */
export interface StackOptions {
  /** The project's folder: migrations and functions are taken from it. */
  project: string;
  /** The folder for binaries, data and keys. */
  home: string;
  /** Port of the API; 0 picks a free one. */
  port: number;
  /** Port of the database; 0 picks a free one. */
  dbPort: number;
  /** Settings of the database server, beyond what startPostgres sets. */
  settings?: Record<string, string>;
  /** Whether the home's database has the migrations already. */
  migrated?: boolean;
  /** A server that runs already, in place of one of the home's; it goes on when the stack stops. */
  database?: PostgresServer;
  /** More variables for the functions. */
  env?: Record<string, string>;
  /** What the schedule goes by; the machine's clock unless told. */
  clock?: Clock;
  /** Called with what is being done, one line per step. */
  progress?: (line: string) => void;
  /** Told what the functions log. */
  log?: (line: string) => void;
}

/** A running stack. */
export interface Stack {
  url: string;
  keys: Keys;
  database: PostgresServer;
  functions: Functions;
  /** Whether stop has been called. */
  readonly stopping: boolean;
  /** Starts the functions again, after they were killed. */
  restartFunctions(): Promise<void>;
  /** Closes Data API, Auth and Storage, and opens them again once the database has been killed and started. */
  restartApi(meanwhile: () => Promise<unknown>): Promise<void>;
  /** Ends everything in good order; harmless when called twice. */
  stop(): Promise<void>;
}

/**
 * Starts database, API and Auth, edge functions and the gateway in front of them.
 * @throws StackFailure with cause and remedy; what had been started is stopped again.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { project, home, progress = () => {}, log = () => {} } = options;
  const stops: (() => Promise<unknown>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () => stopping ??= stopAll(stops);
  try {
    const port = await wantedPort(options.port, "--port");
    const functionsPort = await freePort();
    const url = `http://127.0.0.1:${port}`;

    const database = options.database ?? await openDatabase(options);
    if (!options.database) stops.push(database.stop);
    const keys = loadKeys(home);

    progress("Data API, Auth and Storage …");
    const openApi = () =>
      startApi({
        url: database.url("supabase_admin"),
        keys,
        siteUrl: url,
        home,
      });
    let api = await openApi();
    stops.push(() => api.close());

    if (!options.migrated) {
      progress("Migrations …");
      await pushMigrations(project, database.url());
    }

    progress("Edge functions …");
    const launch = () =>
      startFunctions({
        project,
        keys,
        env: options.env,
        log,
        port: functionsPort,
        supabaseUrl: url,
        databaseUrl: database.url(),
      });
    const stack: Stack = {
      url,
      keys,
      database,
      stop,
      functions: await launch(),
      get stopping() {
        return stopping !== undefined;
      },
      restartFunctions: async () => {
        await stack.functions.stop();
        stack.functions = await launch();
      },
      restartApi: async (meanwhile) => {
        // Not before: a pool that is open may wait for ever for an answer that died with the server.
        const closing = api.close();
        await meanwhile();
        await closing;
        api = await openApi();
      },
    };
    stops.push(() => stack.functions.stop());
    const gateway = await startGateway(port, {
      functionsUrl: () => stack.functions.url,
      api: (request) => api.fetch(request),
      sandbox: sandbox({ url, keys, home }),
      pages: exampleApp({ project, home, url, keys, log }),
      console: serveConsole({ url, publishableKey: keys.publishable, home }),
    });
    stops.push(() => closeGateway(gateway));
    const databaseUrl = database.url();
    const { clock } = options;
    stops.push(startSchedule({ url, keys, databaseUrl, log, clock }));
    return stack;
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openDatabase(
  { home, dbPort, settings, progress = () => {} }: StackOptions,
): Promise<PostgresServer> {
  const port = await wantedPort(dbPort, "--db-port");
  progress("Postgres 17 …");
  return await startPostgres({ home, port, settings });
}

/** Last started, first stopped; a part that does not stop holds nobody up. */
async function stopAll(stops: (() => Promise<unknown>)[]): Promise<void> {
  for (const stop of stops.reverse()) {
    await Promise.race([stop(), delay(10_000, undefined, { ref: false })])
      .catch((error) => console.error(`While stopping: ${error.message}`));
  }
}

function closeGateway(gateway: Server): Promise<void> {
  return new Promise((resolve) => {
    gateway.close(() => resolve());
    gateway.closeAllConnections();
  });
}
