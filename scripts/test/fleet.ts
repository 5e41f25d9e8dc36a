import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBundleFile } from "../deploy/bundle.ts";
import type { Fleet } from "../shards/config.ts";
import { initRouter } from "../shards/init.ts";
import { openHome, removeHome } from "../stack/home.ts";
import { freePort } from "../stack/port.ts";
import { withDatabase } from "./database.ts";
import {
  findDebians,
  makeData,
  startServer,
  stopServer,
  untilReady,
} from "./debian_server.ts";
import { executeScript, prepareServices } from "./prepare.ts";
import { fingerprint, fleetHome, keptFolder } from "./template.ts";

/** The shards of a test fleet; the last stands on a server of its own. */
export const SHARDS = ["s0", "s1", "s2", "s3"] as const;

const SETTINGS = {
  fsync: "off",
  max_connections: "500",
  max_prepared_transactions: "4",
  max_replication_slots: "20",
  max_wal_senders: "20",
  timezone: "UTC",
  wal_level: "logical",
};

/** Whether Debian's Postgres has PL/Proxy here. */
export async function hasPlProxy(): Promise<boolean> {
  return await findDebians({ plproxy: "plproxy" }).then(
    () => true,
    () => false,
  );
}

/** A Postgres server that a test may stop and start. */
export interface Server {
  readonly port: number;
  /** @param signal SIGQUIT: at once, as if it broke */
  readonly stop: (signal: NodeJS.Signals) => Promise<void>;
  readonly start: () => Promise<void>;
}

/** A router and four shards, without passwords. */
export interface TestFleet {
  readonly fleet: Fleet;
  /** The server of the last shard alone. */
  readonly last: Server;
  readonly stop: () => Promise<void>;
}

/** Starts a fleet in some seconds: two servers, on copies of one data folder. */
export async function startFleet(
  { routed = true, cron }: {
    routed?: boolean;
    /** The database of each server that may have pg_cron. */
    cron?: readonly [first: string, last: string];
  } = {},
): Promise<TestFleet> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    await Promise.all(stops.map((end) => end()));
  };
  try {
    const [first, last] = [
      await openServer(stops, cron?.[0]),
      await openServer(stops, cron?.[1]),
    ];
    const fleet = await makeDatabases(first.port, last.port);
    if (routed) await initRouter(fleet, () => {});
    return { fleet, last, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openServer(
  stops: (() => Promise<void>)[],
  cron?: string,
): Promise<Server> {
  const settings = cron
    ? {
      ...SETTINGS,
      shared_preload_libraries: "pg_cron",
      "cron.database_name": cron,
      "cron.use_background_workers": "on",
    }
    : SETTINGS;
  const binaries = await findDebians({ plproxy: "plproxy" });
  const template = await findFleetTemplate(binaries);
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-fleet-"));
  const home = openHome(folder);
  execFileSync("cp", ["-a", join(template, "data"), join(folder, "data")], {
    ...home.identity,
    cwd: folder,
  });
  const port = await freePort();
  let server: ChildProcess;
  const start = async () => {
    server = startServer(home, binaries, port, settings);
    await untilReady(urlOf(port, "template1"));
  };
  stops.push(async () => {
    await stopServer(server);
    removeHome(folder);
  });
  await start();
  return {
    port,
    start,
    stop: async (signal) => {
      if (server.exitCode !== null || server.signalCode !== null) return;
      server.kill(signal);
      await once(server, "exit");
    },
  };
}

async function makeDatabases(first: number, last: number): Promise<Fleet> {
  const portOf = (name: string) => name === SHARDS.at(-1) ? last : first;
  await copy(first, "bare", "router");
  for (const name of SHARDS) await copy(portOf(name), "postgres", name);
  return {
    router: urlOf(first, "router"),
    shards: SHARDS.map((name, i) => ({
      name,
      url: urlOf(portOf(name), name),
      through: urlOf(portOf(name), name),
      groups: [i, i + 4, i + 8, i + 12],
    })),
    user: "credits_router",
    seconds: 8,
  };
}

function urlOf(port: number, database: string): string {
  return `postgresql://supabase_admin@127.0.0.1:${port}/${database}?sslmode=disable`;
}

async function copy(port: number, from: string, to: string): Promise<void> {
  await executeScript(
    urlOf(port, "template1"),
    `create database ${to} template ${from} owner postgres`,
  );
}

/** The data folder of a server with the databases postgres, after our migrations, and bare, before them. */
function findFleetTemplate(binaries: string): Promise<string> {
  const project = process.cwd();
  const name = `${fingerprint(project)}-${binaries.replace(/\D/g, "")}`;
  return keptFolder(fleetHome(project), name, async (draft) => {
    const home = openHome(draft);
    if (existsSync(join(draft, "data"))) return;
    makeData(home, binaries, ["--locale=C"]);
    const port = await freePort();
    const server = startServer(home, binaries, port, SETTINGS);
    try {
      await untilReady(urlOf(port, "template1"));
      await fillTemplate(port, draft, project);
    } finally {
      await stopServer(server);
    }
  });
}

async function fillTemplate(
  port: number,
  folder: string,
  project: string,
): Promise<void> {
  const admin = urlOf(port, "postgres");
  const roles = new URL("../stack/roles.sql", import.meta.url);
  await executeScript(admin, await readFile(roles, "utf8"));
  await prepareServices(admin, folder);
  await copy(port, "postgres", "bare");
  const owner = new URL(withDatabase(admin, "postgres"));
  owner.username = "postgres";
  await executeScript(owner.href, await makeBundleFile(project));
}
