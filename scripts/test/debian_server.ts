import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Home, openHome, removeHome } from "../stack/home.ts";
import { freePort } from "../stack/index.ts";
import { executeScript, prepareAuth } from "./database.ts";

const DEBIAN_POSTGRES = "/usr/lib/postgresql";
const READY_SECONDS = 30;

/**
 * Runs an action on a throw-away server of Debian's newest Postgres (package
 * postgresql), as a Supabase project is before migrations.
 *
 * @param action gets the URL of the role `postgres`
 */
export async function onDebianServer<T>(
  action: (databaseUrl: string) => Promise<T>,
): Promise<T> {
  const binaries = await findBinaries();
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-debian-"));
  const port = await freePort(0, "");
  const server = startServer(openHome(folder), binaries, port);
  const url = (role: string) =>
    `postgresql://${role}@127.0.0.1:${port}/postgres?sslmode=disable`;
  try {
    await prepareServer(url("supabase_admin"), folder);
    return await action(url("postgres"));
  } finally {
    await stopServer(server);
    removeHome(folder);
  }
}

async function findBinaries(): Promise<string> {
  const versions = await readdir(DEBIAN_POSTGRES).catch(() => []);
  const newest = versions.map(Number).sort((a, b) => a - b).at(-1);
  if (newest) return join(DEBIAN_POSTGRES, String(newest), "bin");
  throw new Error(
    `no Postgres below ${DEBIAN_POSTGRES}: apt-get install postgresql`,
  );
}

/** Makes a data folder without passwords and starts the server on it. */
function startServer(
  home: Home,
  binaries: string,
  port: number,
): ChildProcess {
  const data = join(home.path, "data");
  const identity = { ...home.identity, cwd: home.path };
  const flags = ["--username=supabase_admin", "--auth=trust", "--no-sync"];
  execFileSync(
    join(binaries, "initdb"),
    [`--pgdata=${data}`, "--encoding=UTF8", "--locale=C", ...flags],
    { ...identity, stdio: "pipe" },
  );
  return spawn(
    join(binaries, "postgres"),
    ["-D", data, "-p", String(port), "-k", "", "-h", "127.0.0.1"],
    { ...identity, stdio: "ignore" },
  );
}

async function prepareServer(
  superuserUrl: string,
  folder: string,
): Promise<void> {
  await untilReady(superuserUrl);
  const roles = new URL("../stack/roles.sql", import.meta.url);
  await executeScript(superuserUrl, await readFile(roles, "utf8"));
  await prepareAuth(superuserUrl, folder);
  // Only a superuser may create it; the CLI connects as postgres.
  await executeScript(
    superuserUrl,
    "create extension if not exists plpgsql_check schema extensions",
  ).catch(() => {});
}

async function untilReady(url: string): Promise<void> {
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

async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  server.kill("SIGINT");
  await once(server, "exit");
}
