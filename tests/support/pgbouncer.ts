import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { expect } from "vitest";
import { openHome, removeHome } from "../../scripts/stack/home.ts";
import { freePort } from "../../scripts/stack/port.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

/** Whether Debian's pgbouncer is installed. */
export function hasPgBouncer(): boolean {
  return existsSync(PROGRAM);
}

/** A pooler in transaction mode. */
export interface Pooler {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts pgbouncer in front of a database, with as many server connections as are told. */
export async function startPgBouncer(
  databaseUrl: string,
  poolSize: number,
): Promise<Pooler> {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  const listenPort = await freePort();
  const stop = await runPgBouncer(`[databases]
postgres = host=${hostname} port=${port} dbname=${
    pathname.slice(1)
  } user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
ignore_startup_parameters = extra_float_digits
`);
  const url =
    `postgresql://${username}@127.0.0.1:${listenPort}/postgres?sslmode=disable`;
  await expect.poll(() => answers(url), { timeout: 10_000 }).toBe(true);
  return { url, stop };
}

/** Runs pgbouncer with a configuration; resolves to what stops it. */
export async function runPgBouncer(ini: string): Promise<() => Promise<void>> {
  const home = openHome(
    await mkdtemp(join(tmpdir(), "atomic-credits-pgbouncer-")),
  );
  const file = join(home.path, "pgbouncer.ini");
  writeFileSync(file, ini);
  const child = spawn(PROGRAM, ["-q", file], {
    ...home.identity,
    cwd: home.path,
    stdio: "ignore",
  });
  return async () => {
    if (child.exitCode === null && child.kill("SIGKILL")) {
      await once(child, "exit");
    }
    removeHome(home.path);
  };
}

async function answers(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, prepare: false, connect_timeout: 1 });
  const ready = await sql`select 1`.then(() => true, () => false);
  await sql.end({ timeout: 1 });
  return ready;
}
