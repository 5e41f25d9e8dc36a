import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";

/** A certificate for the servers of this machine, of an authority that is nobody else's. */
export interface Certificates {
  readonly ca: string;
  /** An authority that has signed nothing. */
  readonly stranger: string;
}

/** Runs an action while servers offer TLS; each by the URL of a superuser. */
export async function withTls(
  servers: readonly string[],
  action: (certificates: Certificates) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-tls-"));
  // postgres_fdw and PL/Proxy read it as the server's user.
  chmodSync(folder, 0o755);
  const authority = (name: string) =>
    openssl(folder, [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt"],
      ...["ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", `/CN=${name}`, "-keyout", `${name}.key`],
      ...["-out", `${name}.pem`],
    ]);
  try {
    for (const name of ["ca", "stranger"]) authority(name);
    openssl(folder, [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt"],
      ...["ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", "/CN=shard", "-addext", "subjectAltName=IP:127.0.0.1"],
      ...["-addext", "basicConstraints=critical,CA:false"],
      ...["-CA", "ca.pem", "-CAkey", "ca.key"],
      ...["-keyout", "server.key", "-out", "server.pem"],
    ]);
    const offered = servers.map((url) => offerTls(url, folder));
    await Promise.all(offered);
    await action({
      ca: join(folder, "ca.pem"),
      stranger: join(folder, "stranger.pem"),
    });
  } finally {
    for (const url of servers) await change(url, ["reset ssl"], "off");
    await rm(folder, { recursive: true });
  }
}

function openssl(cwd: string, args: readonly string[]): void {
  execFileSync("openssl", args, { cwd, stdio: "pipe" });
}

async function offerTls(url: string, folder: string): Promise<void> {
  const [key, certificate] = ["server.key", "server.pem"].map((name) =>
    join(folder, name)
  );
  await onDatabase(url, async (sql) => {
    const [{ data }] =
      await sql`select current_setting('data_directory') as data` as unknown as [
        { data: string },
      ];
    const { uid, gid } = statSync(data);
    chownSync(key!, uid, gid);
    chmodSync(key!, 0o600);
  });
  await change(url, [
    `set ssl_key_file = '${key}'`,
    `set ssl_cert_file = '${certificate}'`,
    "set ssl = on",
  ], "on");
}

async function change(
  url: string,
  settings: readonly string[],
  ssl: "on" | "off",
): Promise<void> {
  await onDatabase(url, async (sql) => {
    for (const setting of settings) {
      await sql.unsafe(`alter system ${setting}`);
    }
    await sql`select pg_reload_conf()`;
  });
  await expect.poll(
    () =>
      onDatabase(
        url,
        async (sql) =>
          (await sql`select current_setting('ssl') as ssl`)[0]!.ssl,
      ),
  ).toBe(ssl);
}
