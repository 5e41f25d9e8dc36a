import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { installBinaries } from "./binaries.ts";
import { StackFailure } from "./failure.ts";
import { type Home, openHome } from "./home.ts";
import { commandOf, endWithUs } from "./process.ts";

/** Password of every login role: the server listens on loopback only. */
const PASSWORD = "postgres";
const READY_SECONDS = 25;

/** Where a server listens, and what it is told beyond Postgres' defaults. */
interface ServerOptions {
  port: number;
  settings?: Record<string, string>;
}

/** A running database server. */
export interface PostgresServer {
  port: number;
  /** Process id of the postmaster, to kill it in a crash test. */
  pid: number;
  /** Connection string as postgres (owner of the schema), supabase_admin (superuser) or authenticator. */
  url(role?: "postgres" | "supabase_admin" | "authenticator"): string;
  /** Resolves when the server has ended, however it ended. */
  ended: Promise<void>;
  /** Ends the server in good order. */
  stop(): Promise<void>;
}

/**
 * Whether there is no database yet.
 * @throws StackFailure when there are files, but they are no database.
 */
function isMissing(data: string): boolean {
  if (existsSync(join(data, "PG_VERSION"))) return false;
  if (!existsSync(data) || readdirSync(data).length === 0) return true;
  throw new StackFailure(
    `${data} is no Postgres database (it has no PG_VERSION): put it right, or start anew with npm start -- --reset`,
  );
}

function initialise(home: Home, binaries: string, data: string): void {
  const draft = `${data}.new`;
  rmSync(draft, { recursive: true, force: true });
  const passwordFile = join(home.path, "initdb.password");
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  if (home.identity) {
    chownSync(passwordFile, home.identity.uid, home.identity.gid);
  }
  const run = spawnSync(join(binaries, "bin/initdb"), [
    `--pgdata=${draft}`,
    "--username=supabase_admin",
    "--auth=scram-sha-256",
    `--pwfile=${passwordFile}`,
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
  ], { ...home.identity, cwd: home.path, encoding: "utf8" });
  rmSync(passwordFile);
  if (run.status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    throw new StackFailure(
      `Postgres could not make its data folder ${data}: ${
        lastLine(run.stderr || String(run.error))
      }`,
    );
  }
  renameSync(draft, data);
}

/** What a program said last; of a server that gave up why, not the hint after it. */
function lastLine(text: string): string {
  const lines = text.trim().split("\n");
  return lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1)!;
}

/** Ends a server that a killed stack has left running on this home. */
export function stopOrphan(home: Home): void {
  const data = join(home.path, "data");
  const control = join(home.path, "postgres/bin/pg_ctl");
  const lock = join(data, "postmaster.pid");
  if (!existsSync(control) || !existsSync(lock)) return;
  const command = commandOf(Number(readFileSync(lock, "utf8").split("\n")[0]));
  if (!command) return;
  // The id has gone to another process: pg_ctl would end that one, and Postgres
  // would not start beside the lock.
  if (!command.includes(data)) return rmSync(lock);
  spawnSync(control, ["stop", "-D", data, "-m", "fast", "-w", "-t", "20"], {
    ...home.identity,
    cwd: home.path,
  });
}

function launch(
  home: Home,
  binaries: string,
  data: string,
  { port, settings = {} }: ServerOptions,
): ChildProcess {
  return spawn(join(binaries, "bin/postgres"), [
    "-D",
    data,
    "-p",
    String(port),
    "-k",
    "",
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    "wal_level=logical",
    "-c",
    "max_connections=200",
    "-c",
    "log_min_messages=fatal",
    "-c",
    "log_min_error_statement=panic",
    "-c",
    "timezone=UTC",
    "-c",
    "log_timezone=UTC",
    ...Object.entries(settings).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]),
    // Its own process group: a Ctrl-C reaches the stack, which then stops it in order.
  ], {
    ...home.identity,
    cwd: home.path,
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/** Waits until the server answers; fails with its own last words when it ends before. */
async function untilReady(
  child: ChildProcess,
  url: string,
  data: string,
): Promise<void> {
  let log = "";
  child.stderr?.on("data", (chunk) => log = (log + chunk).slice(-4000));
  const giveUp = Date.now() + READY_SECONDS * 1000;
  while (Date.now() < giveUp) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    const sql = postgres(url, {
      max: 1,
      connect_timeout: 2,
      onnotice: () => {},
    });
    const ready = await sql`select 1`.then(() => true, () => false);
    await sql.end({ timeout: 1 });
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new StackFailure(
    `Postgres does not start on ${data}: ${
      lastLine(log)
    } Start anew with: npm start -- --reset`,
  );
}

/**
 * Starts Postgres 17 on a home folder, making the database on first use.
 * @throws StackFailure with cause and remedy.
 */
export async function startPostgres(
  options: ServerOptions & { home: string },
): Promise<PostgresServer> {
  const home = openHome(options.home);
  const binaries = await installBinaries(home.path);
  const data = join(home.path, "data");
  const isNew = isMissing(data);
  if (isNew) initialise(home, binaries, data);
  else stopOrphan(home);
  const url = (role = "postgres", database = "postgres") =>
    `postgresql://${role}:${PASSWORD}@127.0.0.1:${options.port}/${database}?sslmode=disable`;
  const child = launch(home, binaries, data, options);
  endWithUs(child);
  const ended = new Promise<void>((resolve) =>
    child.once("exit", () => resolve())
  );
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGINT");
    }
    await ended;
  };
  try {
    await untilReady(child, url("supabase_admin"), data);
    await prepareDatabase(url("supabase_admin"));
  } catch (error) {
    await stop();
    if (isNew) rmSync(data, { recursive: true, force: true });
    throw error;
  }
  return { port: options.port, pid: child.pid!, url, ended, stop };
}

async function prepareDatabase(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const [done] = await sql`select from pg_roles where rolname = 'postgres'`;
    if (done) return;
    await sql.unsafe(
      readFileSync(new URL("./roles.sql", import.meta.url), "utf8"),
    );
  } finally {
    await sql.end();
  }
}
