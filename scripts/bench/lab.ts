import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import postgres, { type Sql } from "postgres";
import {
  createDatabase,
  startTestDatabase,
  type TestDatabase,
  withDatabase,
} from "../test/database.ts";
import { pushMigrations } from "../stack/migrate.ts";
import { executeScript } from "../test/prepare.ts";
import { applyCommit, earlierDatabase } from "./earlier.ts";

/**
 * What the server is told beyond Postgres' defaults: as Supabase sets them on a
 * project of 4 GB. Durability stays as shipped: fsync and synchronous_commit on.
 */
export const SERVER_SETTINGS = {
  fsync: "on",
  shared_buffers: "1GB",
  effective_cache_size: "3GB",
  max_wal_size: "4GB",
  random_page_cost: "1.1",
};

/** Where the measuring takes place: a throw-away server with a database for each purpose. */
export interface Lab {
  /** The folder of the project. */
  readonly project: string;
  /** A folder for scripts, gone with the server. */
  readonly folder: string;
  /** The short form: smaller sizes, shorter rounds. */
  readonly short: boolean;
  /** Connection string of a database, as the owner of the schema. */
  readonly url: (database: string) => string;
  /** One connection to a database. */
  readonly sql: (database: string) => Sql;
  /** Makes a database with the migrations and the floor in it. */
  readonly create: (database: string) => Promise<Sql>;
  /** The commit that is measured against, if any. */
  readonly against: string | undefined;
  /** The same beside it with the migrations of the commit that is measured against. */
  readonly createEarlier: (database: string) => Promise<Sql>;
  /** Tells what is being done. */
  readonly progress: (line: string) => void;
  readonly stop: () => Promise<void>;
}

/** The database that the earlier ones are copies of. */
const EARLIER = "earlier";

/** What a lab is opened for. */
interface LabOptions extends Pick<Lab, "project" | "short" | "progress"> {
  /** A commit whose migrations are measured too. */
  readonly against?: string | undefined;
}

/** Starts the server and applies the migrations, once for all databases. */
export async function openLab(options: LabOptions): Promise<Lab> {
  const { project, short, progress, against } = options;
  progress("Postgres 17 and the migrations …");
  const server = await startTestDatabase({
    migrated: against === undefined,
    settings: SERVER_SETTINGS,
  });
  const connections = new Map<string, Sql>();
  const url = (database: string) => withDatabase(server.url, database);
  const sql = (database: string) => {
    const known = connections.get(database);
    if (known) return known;
    const opened = postgres(url(database), { max: 1, onnotice: () => {} });
    connections.set(database, opened);
    return opened;
  };
  const create = async (database: string) => {
    await createDatabase(server, database);
    return sql(database);
  };
  const createEarlier = async (database: string) => {
    await createDatabase(server, earlierDatabase(database), EARLIER);
    return sql(earlierDatabase(database));
  };
  const stop = async () => {
    await Promise.all(
      [...connections.values()].map((opened) => opened.end({ timeout: 5 })),
    );
    await server.stop();
  };
  try {
    if (against !== undefined) await migrateBoth(server, against, options);
    await executeScript(
      server.superuserUrl,
      "grant set on parameter track_functions to postgres",
    );
    await executeScript(server.url, await sqlFile("floor.sql"));
    await executeScript(server.url, await sqlFile("history.sql"));
  } catch (error) {
    await stop();
    throw error;
  }
  const { home: folder } = server;
  return {
    project,
    folder,
    against,
    short,
    progress,
    url,
    sql,
    create,
    createEarlier,
    stop,
  };
}

/** Applies the migrations of a commit to a database beside, and today's to the server's own. */
async function migrateBoth(
  server: TestDatabase,
  commit: string,
  { project, progress }: LabOptions,
): Promise<void> {
  progress(`The migrations of ${commit} …`);
  await createDatabase(server, EARLIER);
  const earlier = withDatabase(server.url, EARLIER);
  await applyCommit(commit, earlier, { project, folder: server.home });
  await executeScript(earlier, await sqlFile("floor.sql"));
  await pushMigrations(project, server.url);
}

function sqlFile(name: string): Promise<string> {
  return readFile(fileURLToPath(new URL(name, import.meta.url)), "utf8");
}
