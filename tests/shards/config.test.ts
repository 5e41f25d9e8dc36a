import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addressOf } from "../../scripts/shards/address.ts";
import {
  checkGroups,
  GROUPS,
  partitionOf,
  readFleet,
  writeFleet,
} from "../../scripts/shards/config.ts";
import { pgbouncerIni } from "../../scripts/shards/pgbouncer.ts";

const modulo = (modulus: number, remainder: number) =>
  [...Array(GROUPS).keys()].filter((group) => group % modulus === remainder);

test.each([1, 2, 4, 8, 16])(
  "a shard of every %ith group is one partition",
  (modulus) => {
    for (let remainder = 0; remainder < modulus; remainder++) {
      const groups = modulo(modulus, remainder);
      expect(partitionOf({ name: "s", groups })).toEqual({
        modulus,
        remainder,
      });
    }
  },
);

test.each([
  ["neighbours", [0, 1]],
  ["three", [0, 4, 8]],
  ["none", []],
  ["one twice", [0, 0]],
  ["a group that there is not", [16]],
])("a shard cannot have %s", (_, groups) => {
  expect(() => partitionOf({ name: "s", groups })).toThrow(/^s: groups must/);
});

test("three shards: one with half of the groups, two with a quarter", () => {
  checkGroups([
    { name: "a", groups: modulo(2, 0) },
    { name: "b", groups: modulo(4, 1) },
    { name: "c", groups: modulo(4, 3) },
  ]);
});

test("each group has one shard", () => {
  const half = { name: "a", groups: modulo(2, 0) };
  expect(() => checkGroups([half])).toThrow("group 1 belongs to no shard");
  const all = { name: "b", groups: modulo(1, 0) };
  expect(() => checkGroups([half, all])).toThrow("group 0 belongs to a and b");
});

test("an address has no user, no password and no TLS", () => {
  expect(addressOf("postgresql://me:secret@db.example/x?sslmode=disable"))
    .toEqual({ host: "db.example", port: "5432", dbname: "x" });
  expect(addressOf("postgresql://[::1]:5433/x%20y"))
    .toEqual({ host: "::1", port: "5433", dbname: "x y" });
});

test.each([
  ["x?sslmode=require&options=-cjit%3Doff", "the parameter options"],
  ["x?sslmode=verified", "sslmode is one of disable,"],
  ["x?sslmode=verify-full", "needs sslrootcert"],
  ["", "needs a host and a database"],
])(
  "a URL to %s is refused in the file's words, and never shown",
  async (path, why) => {
    const folder = await mkdtemp(join(tmpdir(), "atomic-credits-config-"));
    const file = join(folder, "shards.json");
    const shard = { name: "s0", url: `postgresql://me:secret@db/${path}` };
    await writeFile(
      file,
      JSON.stringify({ router: "postgresql://db/r", shards: [shard] }),
    );
    const refused = await readFleet(file, {}).then(() => "", String);
    await rm(folder, { recursive: true });
    expect(refused).toContain(`${file}: s0: `);
    expect(refused).toContain(why);
    expect(refused).not.toContain("secret");
  },
);

test("a file that others may not read stays so when it is written anew", async () => {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-config-"));
  const file = join(folder, "shards.json");
  const modeOf = async () => (await stat(file)).mode & 0o777;
  const fleet = {
    router: "postgresql://me:secret@db/router",
    shards: [],
    user: "credits_router",
    seconds: 8,
  };
  await writeFleet(file, fleet);
  const first = await modeOf();
  await chmod(file, 0o640);
  await writeFleet(file, fleet);
  expect([first, await modeOf()]).toEqual([0o600, 0o640]);
  await rm(folder, { recursive: true });
});

test("pgbouncer asks shards for the TLS that they ask for", () => {
  const shard = (name: string, query: string) => {
    const url = `postgresql://db/${name}?${query}`;
    return { name, url, through: url, groups: [] };
  };
  const ini = pgbouncerIni({
    router: "postgresql://db/router",
    user: "credits_router",
    seconds: 8,
    shards: [
      shard("s0", "sslmode=verify-full&sslrootcert=/etc/ca.pem"),
      shard("s1", "sslmode=require"),
    ],
  }, 3);
  expect(ini).toContain(
    "\nserver_tls_sslmode = verify-full\nserver_tls_ca_file = /etc/ca.pem\n",
  );
  const strict = pgbouncerIni({
    router: "postgresql://db/router",
    user: "credits_router",
    seconds: 8,
    shards: [
      shard("s0", "sslcert=/me.pem&sslkey=/me.key&sslcrl=/revoked.pem"),
      shard("s1", "ssl_min_protocol_version=TLSv1.3"),
    ],
  }, 3);
  expect(strict).toContain(`
server_tls_cert_file = /me.pem
server_tls_key_file = /me.key
server_tls_protocols = tlsv1.3
; pgbouncer heeds no sslcrl.
`);
});

test("docs/scaling.md says what is refused, all of it and nothing else", () => {
  const page = readFileSync("docs/scaling.md", "utf8");
  const [, table = ""] = /## What is refused\n([^]*?)\n## /.exec(page) ?? [];
  const said = table.split("\n").filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...line.split("|")[1]!.matchAll(/`(\w+)`/g)])
    .map(([, name]) => name).filter((name) =>
      name !== "transfer_credits_batch"
    );
  const own = "scripts/shards/own";
  const refused = readdirSync(own).flatMap((file) => [
    ...readFileSync(`${own}/${file}`, "utf8").matchAll(
      /'(\w+) cannot be called through the router'/g,
    ),
  ]).map(([, name]) => name);
  expect(said.sort()).toEqual(refused.sort());
});
