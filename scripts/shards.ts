import { findDifferences } from "./shards/check.ts";
import { type Fleet, readFleet } from "./shards/config.ts";
import { pgbouncerIni } from "./shards/pgbouncer.ts";
import { initRouter, makeRouter } from "./shards/router.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP =
  `Several databases behind one: a router sends each call to the shard of its account.

  npm run shards -- init       makes the router, from the catalog of the first shard
  npm run shards -- check      says in what the router and the shards differ
  npm run shards -- pgbouncer  prints pgbouncer.ini, to stand between router and shards
  npm run shards -- sql        prints what init would run on the router

  --file <path>   the shards (default: shards.json)
  --pool <n>      connections of pgbouncer to a shard (default: 20)
  --help          this text

shards.json:
  { "router": "postgresql://…/router",
    "shards": [{ "name": "s0", "url": "postgresql://…/s0", "groups": [0, 2, 4, 6, 8, 10, 12, 14] }, …] }

An account's group is the low 4 bits of its slot. URLs are for a superuser. "through" of a shard is where the router
connects (pgbouncer), if it is not the database itself. SHARDS_PASSWORD is the password of the router's role.`;

/** Makes, compares and describes the databases of a fleet. */
export async function main(terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(HELP, terminal, {
    allowPositionals: true,
    options: {
      file: { type: "string", default: "shards.json" },
      pool: { type: "string", default: "20" },
      help: { type: "boolean", default: false },
    },
  });
  const { console, env } = terminal;
  const run = positionals.length === 1 && COMMANDS[positionals[0]!];
  if (values.help || !run) {
    console.log(HELP);
    return values.help ? 0 : 1;
  }
  const fleet = await readFleet(values.file, env);
  return run(fleet, terminal, Number(values.pool));
}

type Run = (fleet: Fleet, terminal: Terminal, pool: number) => Promise<number>;

const COMMANDS: Readonly<Record<string, Run>> = {
  init: async (fleet, { console }) => {
    await initRouter(fleet, (line) => console.log(line));
    return 0;
  },
  check: async (fleet, { console }) => {
    const differences = await findDifferences(fleet);
    for (const { where, what } of differences) {
      console.log(`${where}: ${what}`);
    }
    if (differences.length === 0) console.log("The shards are equal.");
    return differences.length === 0 ? 0 : 1;
  },
  pgbouncer: (fleet, { console }, pool) => {
    console.log(pgbouncerIni(fleet, pool));
    return Promise.resolve(0);
  },
  sql: async (fleet, { console }) => {
    console.log((await makeRouter(fleet)).sql);
    return 0;
  },
};
