import { findDifferences } from "./shards/check.ts";
import { type Fleet, readFleet, writeFleet } from "./shards/config.ts";
import { alone } from "./shards/lock.ts";
import { addShard, forget, moveShard } from "./shards/move.ts";
import { pgbouncerIni } from "./shards/pgbouncer.ts";
import { initRouter } from "./shards/init.ts";
import { makeRouter } from "./shards/router.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP =
  `Several databases behind one: a router sends each call to the shard of its account.

  npm run shards -- init       makes the router, from the catalog of the first shard
  npm run shards -- check      says in what the router and the shards differ
  npm run shards -- move <shard> <url>
                               takes a shard to a database that does not exist yet; its writes stop meanwhile
  npm run shards -- add <shard> <url> --from <shard>
                               gives half of a shard's groups to a new shard; its writes stop meanwhile
  npm run shards -- pgbouncer  prints pgbouncer.ini, to stand between router and shards
  npm run shards -- sql        prints what init would run on the router

  --file <path>   the shards (default: shards.json)
  --from <shard>  which shard is divided
  --pool <n>      connections of pgbouncer to a shard (default: 20)
  --help          this text

shards.json:
  { "router": "postgresql://…/router",
    "shards": [{ "name": "s0", "url": "postgresql://…/s0", "groups": [0, 2, 4, 6, 8, 10, 12, 14] }, …] }

An account's group is the low 4 bits of its slot. URLs are for a superuser. "through" of a shard is where the router
connects (pgbouncer), if it is not the database itself. SHARDS_PASSWORD is the password of the router's role.
A URL may have libpq's parameters of TLS (?sslmode=verify-full&sslrootcert=/path), and no others. SHARDS_URL is the
<url> of move and add where it has a password, as ps shows arguments; PGPASSWORD that of URLs without one.
"formerly" is a router that this one stands in for: init takes over what waits there.
What breaks off goes on where it was when the same command is run again. move and add write the file anew.`;

/** Makes, compares and describes the databases of a fleet. */
export async function main(terminal: Terminal): Promise<number> {
  const { values, positionals } = parseFlags(HELP, terminal, {
    allowPositionals: true,
    options: {
      file: { type: "string", default: "shards.json" },
      from: { type: "string", default: "" },
      pool: { type: "string", default: "20" },
      help: { type: "boolean", default: false },
    },
  });
  const { console, env } = terminal;
  const [name = "", shard = "", url = env.SHARDS_URL ?? ""] = positionals;
  const run = COMMANDS[name];
  const isWhole = name === "move" || name === "add" ? url : positionals[0];
  if (values.help || !run || !isWhole) {
    console.log(HELP);
    return values.help ? 0 : 1;
  }
  const fleet = await readFleet(values.file, env);
  return run(
    fleet,
    { ...values, pool: Number(values.pool), shard, url },
    (line) => console.log(line),
  );
}

interface Arguments {
  readonly file: string;
  readonly from: string;
  readonly pool: number;
  readonly shard: string;
  readonly url: string;
}

type Run = (
  fleet: Fleet,
  told: Arguments,
  say: (line: string) => void,
) => Promise<number>;

const COMMANDS: Readonly<Record<string, Run>> = {
  init: async (fleet, _, say) => {
    await alone(fleet, () => initRouter(fleet, say));
    return 0;
  },
  move: async (fleet, { shard, url, file }, say) => {
    await alone(fleet, async () => {
      await writeFleet(file, await moveShard(fleet, shard, url, say));
      await forget(fleet, shard);
    });
    return 0;
  },
  add: async (fleet, { shard: name, url, from, file }, say) => {
    await alone(fleet, async () => {
      await writeFleet(file, await addShard(fleet, { name, from, url }, say));
      await forget(fleet, name);
    });
    return 0;
  },
  check: async (fleet, _, say) => {
    const differences = await findDifferences(fleet);
    for (const { where, what } of differences) say(`${where}: ${what}`);
    if (differences.length === 0) say("The shards are equal.");
    return differences.length === 0 ? 0 : 1;
  },
  pgbouncer: (fleet, { pool }, say) => {
    say(pgbouncerIni(fleet, pool));
    return Promise.resolve(0);
  },
  sql: async (fleet, _, say) => {
    say((await makeRouter(fleet)).sql);
    return 0;
  },
};
