import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Fleet, readerOf } from "../../scripts/shards/config.ts";
import { pgbouncerIni } from "../../scripts/shards/pgbouncer.ts";
import { initRouter } from "../../scripts/shards/init.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { runPgBouncer } from "../support/pgbouncer.ts";

/**
 * Runs an action while the router reaches its shards through pgbouncer.
 *
 * @param change what is other than npm run shards -- pgbouncer prints
 */
export async function withPool(
  fleet: Fleet,
  pool: number,
  action: () => Promise<void>,
  change: (ini: string) => string = (ini) => ini,
): Promise<void> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-users-"));
  const users = join(folder, "users.txt");
  const names = [fleet.user, readerOf(fleet)];
  await writeFile(users, names.map((name) => `"${name}" ""\n`).join(""));
  await chmod(folder, 0o755);
  // The printed one asks for passwords, which test servers have not.
  const ini = pgbouncerIni(fleet, pool)
    .replace("listen_port = 6432", `listen_port = ${port}\nunix_socket_dir =`)
    .replace("auth_type = scram-sha-256", "auth_type = trust")
    .replace(/(?<=auth_file = ).*/, users);
  const stop = await runPgBouncer(change(ini));
  try {
    await initRouter(through(fleet, port), () => {});
    await action();
  } finally {
    await initRouter(fleet, () => {});
    await stop();
    await rm(folder, { recursive: true });
  }
}

/** A fleet whose router reaches the shards through pgbouncer. */
function through(fleet: Fleet, port: number): Fleet {
  const shards = fleet.shards.map((shard) => {
    const url = new URL(shard.url);
    url.port = String(port);
    return { ...shard, through: url.href };
  });
  return { ...fleet, shards };
}
