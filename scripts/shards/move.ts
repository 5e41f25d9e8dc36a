import { admit } from "./admit.ts";
import { addressOf } from "./address.ts";
import { checkName, type Fleet, partitionOf, type Shard } from "./config.ts";
import {
  admitWrites,
  checkPrepared,
  copyOnce,
  maintenanceOf,
  stopWrites,
  writable,
} from "./copy.ts";
import { onDatabase, withSecrets } from "./interface.ts";
import { keep } from "./keep.ts";
import { groupsSql, makeRouter } from "./router.ts";
import {
  checkPassword,
  readingSql,
  redirectSql,
  rereadSql,
} from "./servers.ts";
import { schedule } from "./schedule.ts";
import { partsOfShard } from "./tables.ts";
import { checkServer } from "./target.ts";
import { handOver, resume, subscribe } from "./terms.ts";
import { checkReferences } from "./users.ts";

type Say = (line: string) => void;

/**
 * Takes a shard to another database: stops its writes, copies it, and sends calls there. Reads go on. It may break off
 * anywhere and be called again; writes are admitted again at its end alone.
 *
 * @returns the fleet as it is then, for shards.json
 */
export async function moveShard(
  fleet: Fleet,
  name: string,
  url: string,
  say: Say,
): Promise<Fleet> {
  const shard = shardOf(fleet, name);
  // The file was written, and nothing was left to do but to forget the move.
  if (shard.url === url) return fleet;
  const there: Shard = { ...shard, url, through: url };
  const moved = replaceShard(fleet, name, [there]);
  await checkPassword(fleet);
  await checkPrepared(shard);
  await checkReferences(shard);
  await checkServer(fleet, shard, url);
  await checkStep(fleet, name, url);
  await stopWrites(shard);
  say(`${name}: takes no writes until this has ended`);
  await handOver(fleet, shard, name);
  await copyOnce(fleet, shard, there, say);
  await admit(fleet, there);
  await withSecrets(fleet.router, (sql) =>
    sql.begin(async (tx) => {
      await tx.unsafe(redirectSql(moved));
      await tx.unsafe(rereadSql(there));
      await tx`update credits_router.moves set step = 'switched' where shard = ${name}`;
    }));
  say(`${name}: calls go to its new database`);
  await resume(shard, false);
  await subscribe(moved, there);
  await admitWrites(there);
  await schedule(there, say);
  sayWay(shard, name, say);
  say(`${name}: is there; drop its old database when you have seen that it is`);
  return moved;
}

/**
 * Gives half of a shard's groups to a new database: stops the shard's writes, copies it, sends the calls of half of
 * its groups there, and deletes on each of the two what the other has. It may break off anywhere, as moveShard.
 */
export async function addShard(
  fleet: Fleet,
  { name, from, url }: { name: string; from: string; url: string },
  say: Say,
): Promise<Fleet> {
  checkName(name);
  const known = fleet.shards.find((shard) => shard.name === name);
  // The file was written, and nothing was left to do but to forget the move.
  if (known?.url === url) return fleet;
  if (known) throw new Error(`${name} is another shard's name`);
  const source = shardOf(fleet, from);
  const [kept, given] = halves(source);
  const there: Shard = { name, url, through: url, groups: given };
  const here: Shard = { ...source, groups: kept };
  const grown = replaceShard(fleet, from, [here, there]);
  await checkPassword(fleet);
  await checkPrepared(source);
  await checkReferences(source);
  await checkServer(fleet, source, url);
  await checkStep(fleet, name, url);
  await stopWrites(source);
  say(`${from}: takes no writes until this has ended`);
  await handOver(fleet, source, name);
  await copyOnce(fleet, source, there, say);
  await writable(there, (sql) => keep(sql, there, true));
  await admit(fleet, there);
  const { relations } = await makeRouter(fleet);
  await withSecrets(fleet.router, (sql) =>
    sql.begin(async (tx) => {
      await tx.unsafe("set local search_path = ''");
      for (const shard of [here, there]) {
        await tx.unsafe(
          `drop server if exists credits_${shard.name} cascade;
          ${readingSql(shard, fleet)}\n${partsOfShard(relations, shard)}`,
        );
      }
      await tx.unsafe(redirectSql(grown));
      await tx.unsafe(groupsSql(grown.shards));
      await tx`update credits_router.moves set step = 'switched' where shard = ${name}`;
    }));
  say(`${name}: has the slot groups ${given.join(", ")}`);
  await writable(source, (sql) => keep(sql, here, false));
  await resume(here, true);
  await subscribe(grown, there);
  await admitWrites(there);
  await admitWrites(here);
  await schedule(there, say);
  sayWay(source, name, say);
  say(`${from}: has the slot groups ${kept.join(", ")}`);
  return grown;
}

/** A new database is reached without the pgbouncer of its old one. */
function sayWay({ url, through }: Shard, name: string, say: Say): void {
  if (url === through) return;
  say(
    `${name}: is reached without pgbouncer; give it the new address, name it as "through" in the file, and run init`,
  );
}

function shardOf({ shards }: Fleet, name: string): Shard {
  const shard = shards.find((shard) => shard.name === name);
  if (!shard) throw new Error(`no shard is called ${name}`);
  return shard;
}

function replaceShard(
  fleet: Fleet,
  name: string,
  by: readonly Shard[],
): Fleet {
  const shards = fleet.shards.flatMap((shard) =>
    shard.name === name ? by : [shard]
  );
  return { ...fleet, shards };
}

/** The groups that a shard keeps, and those that it gives away: each half is one partition again. */
export function halves(
  shard: Pick<Shard, "name" | "groups">,
): [number[], number[]] {
  if (shard.groups.length < 2) {
    throw new Error(`${shard.name} has one group, which is never divided`);
  }
  const { modulus, remainder } = partitionOf(shard);
  const isKept = (group: number) => group % (2 * modulus) === remainder;
  return [
    shard.groups.filter(isKept),
    shard.groups.filter((group) => !isKept(group)),
  ];
}

/** Notes a move before it begins. @throws where another one has begun, or the database is not ours to replace */
async function checkStep(
  { router }: Fleet,
  name: string,
  url: string,
): Promise<void> {
  const { host, port, dbname } = addressOf(url);
  const target = `${host}:${port}/${dbname}`;
  const [begun] = await onDatabase(
    router,
    (sql) => sql`select shard, target from credits_router.moves`,
  );
  if (begun && (begun.shard !== name || begun.target !== target)) {
    throw new Error(
      `${begun.shard} is on its way to ${begun.target}: end that first, with the same command again`,
    );
  }
  if (begun) return;
  const [exists] = await onDatabase(
    maintenanceOf(url),
    (sql) => sql`select from pg_database where datname = ${dbname}`,
  );
  if (exists) {
    throw new Error(`${target} exists: name a database that does not`);
  }
  await onDatabase(
    router,
    (sql) =>
      sql`insert into credits_router.moves (shard, target, step) values (${name}, ${target}, 'begun')`,
  );
}

/** Ends a move: the file says where the shard is now. */
export async function forget({ router }: Fleet, name: string): Promise<void> {
  await onDatabase(
    router,
    (sql) => sql`delete from credits_router.moves where shard = ${name}`,
  );
}
