import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Home, openHome, removeHome } from "../stack/home.ts";
import { freePort } from "../stack/port.ts";
import { endWithUs } from "../stack/process.ts";
import { executeScript, prepareServices } from "./prepare.ts";

const DEBIAN_POSTGRES = "/usr/lib/postgresql";
const READY_SECONDS = 30;
const PACKAGES = {
  pgtap: "pgtap",
  plpgsql_check: "plpgsql-check",
  pg_cron: "cron",
};
// Only a superuser may create them; the CLI connects as postgres.
const EXTENSIONS = `
  create extension if not exists pgtap schema extensions;
  create extension if not exists plpgsql_check schema extensions;
  create extension if not exists pg_cron;
  grant usage on schema cron to postgres;
  grant all on all tables in schema cron to postgres`;

/** How a server is made, beside what all have. */
export interface ServerKind {
  /** Puts programs into a home: resolves to the folder of initdb and postgres. Debian's newest unless told. */
  readonly install?: (home: string) => Promise<string>;
  /** Flags of initdb. */
  readonly locale: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
  /** Makes of it what a project is before migrations. */
  readonly prepare: (superuserUrl: string, folder: string) => Promise<void>;
}

/** A project with pg_cron in background workers, where postgres may do more than on a hosted one. */
const PLAIN: ServerKind = {
  locale: ["--locale=C"],
  settings: {
    shared_preload_libraries: "pg_cron",
    "cron.use_background_workers": "on",
  },
  prepare: prepareServer,
};

/**
 * Runs an action on a throw-away server of Debian's newest Postgres (package
 * postgresql), as a Supabase project with pg_cron is before migrations.
 *
 * @param action gets the URL of the role `postgres`
 */
export async function onDebianServer<T>(
  action: (databaseUrl: string) => Promise<T>,
  kind: ServerKind = PLAIN,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-debian-"));
  const home = openHome(folder);
  const binaries = await (kind.install?.(folder) ?? findDebians());
  const port = await freePort();
  makeData(home, binaries, kind.locale);
  const server = startServer(home, binaries, port, kind.settings);
  const url = (role: string) =>
    `postgresql://${role}@127.0.0.1:${port}/postgres?sslmode=disable`;
  try {
    await untilReady(url("supabase_admin"));
    await kind.prepare(url("supabase_admin"), folder);
    return await action(url("postgres"));
  } finally {
    await stopServer(server);
    removeHome(folder);
  }
}

/**
 * The programs of Debian's newest Postgres.
 *
 * @throws where a package that is needed is missing, with the apt line
 */
export async function findDebians(
  extensions: Readonly<Record<string, string>> = PACKAGES,
): Promise<string> {
  const versions = await readdir(DEBIAN_POSTGRES).catch(() => []);
  const newest = versions.map(Number).sort((a, b) => a - b).at(-1);
  if (!newest) {
    throw new Error(
      `no Postgres below ${DEBIAN_POSTGRES}: apt-get install postgresql`,
    );
  }
  for (const [extension, name] of Object.entries(extensions)) {
    const control = `/usr/share/postgresql/${newest}/extension/${extension}`;
    if (existsSync(`${control}.control`)) continue;
    throw new Error(
      `no ${extension}: apt-get install postgresql-${newest}-${name}`,
    );
  }
  return join(DEBIAN_POSTGRES, String(newest), "bin");
}

/** Makes a data folder without passwords. */
export function makeData(
  home: Home,
  binaries: string,
  locale: readonly string[],
): void {
  const flags = ["--username=supabase_admin", "--auth=trust", "--no-sync"];
  execFileSync(
    join(binaries, "initdb"),
    [`--pgdata=${dataOf(home)}`, "--encoding=UTF8", ...locale, ...flags],
    { ...home.identity, cwd: home.path, stdio: "pipe" },
  );
}

const dataOf = ({ path }: Home) => join(path, "data");

/** Starts a server on a data folder; it ends with this process. */
export function startServer(
  home: Home,
  binaries: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): ChildProcess {
  const options = Object.entries(settings)
    .flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const place = ["-D", dataOf(home), "-p", String(port), "-k", ""];
  const server = spawn(
    join(binaries, "postgres"),
    [...place, "-h", "127.0.0.1", ...options],
    {
      ...home.identity,
      cwd: home.path,
      // In root's own folder it may not look for certificates.
      env: { ...process.env, HOME: home.path },
      stdio: "ignore",
    },
  );
  endWithUs(server);
  return server;
}

async function prepareServer(
  superuserUrl: string,
  folder: string,
): Promise<void> {
  const roles = new URL("../stack/roles.sql", import.meta.url);
  await executeScript(superuserUrl, await readFile(roles, "utf8"));
  await prepareServices(superuserUrl, folder);
  await executeScript(superuserUrl, EXTENSIONS);
}

/** Waits until a server answers. */
export async function untilReady(url: string): Promise<void> {
  const giveUpAt = Date.now() + READY_SECONDS * 1000;
  for (;;) {
    const cause = await executeScript(url, "select 1").then(
      () => undefined,
      (error) => error,
    );
    if (!cause) return;
    if (Date.now() > giveUpAt) throw cause;
    await sleep(200);
  }
}

/** Stops a server in good order. */
export async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  server.kill("SIGINT");
  await once(server, "exit");
}
