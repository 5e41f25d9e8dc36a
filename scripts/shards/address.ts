import { readFileSync } from "node:fs";
import { checkServerIdentity } from "node:tls";
import type postgres from "postgres";
import type { Shard } from "./config.ts";

/** What a URL may say beside an address: libpq's parameters of TLS. Files are those of the machine that connects. */
const TLS = [
  "sslmode",
  "sslrootcert",
  "sslcrl",
  "sslcert",
  "sslkey",
  "ssl_min_protocol_version",
  "ssl_max_protocol_version",
] as const;

/** The values of sslmode, the strictest last. */
const MODES = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
];

/** What a protocol's version may be, the oldest first. */
const PROTOCOLS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

type Tls = Partial<Record<typeof TLS[number], string>>;

/** @throws for what libpq and this command would not both understand; never with the URL, which may have a password */
function parse(url: string): URL {
  if (!URL.canParse(url)) {
    throw new Error("a URL is none: postgresql://user@host:port/database");
  }
  const parsed = new URL(url);
  const { protocol, hostname, pathname, searchParams } = parsed;
  const said = `the URL of ${hostname || "a database"}`;
  if (!/^postgres(ql)?:$/.test(protocol) || !hostname || pathname.length < 2) {
    throw new Error(`${said} needs a host and a database: postgresql://…/…`);
  }
  for (const name of new Set(searchParams.keys())) {
    if (!(TLS as readonly string[]).includes(name)) {
      throw new Error(
        `${said} has the parameter ${name}, which is not passed on: only ${
          TLS.join(", ")
        } are`,
      );
    }
  }
  const { sslmode = "prefer", sslrootcert } = Object.fromEntries(searchParams);
  if (!MODES.includes(sslmode)) {
    throw new Error(
      `${said}: sslmode is one of ${MODES.join(", ")}, not ${sslmode}`,
    );
  }
  if (sslmode.startsWith("verify") && !sslrootcert) {
    throw new Error(
      `${said}: sslmode=${sslmode} needs sslrootcert, the path of the CA's certificate`,
    );
  }
  return parsed;
}

/** @throws where a URL cannot be used, with the words of the file that names it */
export function checkUrl(url: string, where: string): void {
  try {
    parse(url);
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`);
  }
}

/** Where a database is: what libpq needs to reach it, without a user and TLS. */
export function addressOf(
  url: string,
): { host: string; port: string; dbname: string } {
  const { hostname, port, pathname } = parse(url);
  return {
    host: decodeURIComponent(hostname).replace(/^\[(.*)\]$/, "$1"),
    port: port || "5432",
    dbname: decodeURIComponent(pathname.slice(1)),
  };
}

/** What libpq needs to know of a URL's TLS. */
export function tlsOf(url: string): Tls {
  return Object.fromEntries(parse(url).searchParams);
}

/** How the scripts connect themselves. */
export function optionsOfUrl(
  url: string,
): postgres.Options<Record<string, never>> {
  const { username, password } = parse(url);
  const { host, port, dbname } = addressOf(url);
  return {
    host,
    port: Number(port),
    database: dbname,
    ...username ? { user: decodeURIComponent(username) } : {},
    ...password ? { password: decodeURIComponent(password) } : {},
    ssl: tlsOfNode(host, tlsOf(url)),
  };
}

/** TLS as Node has it, with the meaning that libpq gives to sslmode. */
function tlsOfNode(host: string, tls: Tls): "prefer" | false | object {
  const { sslmode = "prefer", sslrootcert, sslcert, sslkey, sslcrl } = tls;
  if (sslmode === "disable") return false;
  if (/^(allow|prefer)$/.test(sslmode) && !sslcert) return "prefer";
  const file = (name: string, path?: string) =>
    path && path !== "system" ? { [name]: readFileSync(path, "utf8") } : {};
  const { ssl_min_protocol_version: min, ssl_max_protocol_version: max } = tls;
  return {
    ...file("ca", sslrootcert),
    ...file("cert", sslcert),
    ...file("key", sslkey),
    ...file("crl", sslcrl),
    ...min ? { minVersion: min } : {},
    ...max ? { maxVersion: max } : {},
    rejectUnauthorized: sslmode !== "prefer" && sslmode !== "allow" &&
      sslrootcert !== undefined,
    checkServerIdentity: (_: string, certificate: never) =>
      sslmode === "verify-full"
        ? checkServerIdentity(host, certificate)
        : undefined,
  };
}

/** How pg_dump and psql connect: ps shows arguments to all, and an environment to its owner alone. */
export function clientOf(
  url: string,
): { argument: string; env: Record<string, string | undefined> } {
  const open = parse(url);
  const password = decodeURIComponent(open.password);
  open.password = "";
  return {
    argument: open.href,
    env: { ...process.env, ...password ? { PGPASSWORD: password } : {} },
  };
}

/** TLS of pgbouncer to all shards: the strictest that one of them asks for. */
export function poolTlsOf(shards: readonly Shard[]): string {
  const all = shards.map(({ url }) => tlsOf(url));
  const first = (name: keyof Tls) => all.find((tls) => tls[name])?.[name];
  const mode = MODES.findLast((mode) =>
    all.some(({ sslmode }) => sslmode === mode)
  );
  const settings = {
    server_tls_sslmode: mode,
    server_tls_ca_file: first("sslrootcert"),
    server_tls_cert_file: first("sslcert"),
    server_tls_key_file: first("sslkey"),
    server_tls_protocols: protocolsOf(all),
  };
  const lines = Object.entries(settings).flatMap(([name, value]) =>
    value ? [`${name} = ${value}\n`] : []
  );
  const revoked = first("sslcrl") ? "; pgbouncer heeds no sslcrl.\n" : "";
  return lines.join("") + revoked;
}

/** The protocols that all allow, where one names any. */
function protocolsOf(all: readonly Tls[]): string | undefined {
  const given = (name: keyof Tls) => all.flatMap((tls) => tls[name] ?? []);
  const [least, most] = [
    given("ssl_min_protocol_version"),
    given("ssl_max_protocol_version"),
  ];
  if (least.length + most.length === 0) return undefined;
  const lowest = least.sort().at(-1) ?? "TLSv1.2";
  const highest = most.sort()[0] ?? "TLSv1.3";
  return PROTOCOLS.filter((protocol) =>
    lowest <= protocol && protocol <= highest
  ).map((protocol) => protocol.toLowerCase().replace(/^tlsv1$/, "tlsv1.0"))
    .join(",");
}
