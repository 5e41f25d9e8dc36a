import { readFile } from "node:fs/promises";
import type { Fleet, Shard } from "./config.ts";
import { onDatabase } from "./interface.ts";
import { TERMS } from "./merges.ts";
import { isSubscribed } from "./terms.ts";
import { describeUsers } from "./users.ts";

/** What differs between two databases, or that one does not answer. */
export interface Difference {
  /** The router, or a shard. */
  readonly where: string;
  readonly what: string;
}

/** What fingerprint_inside.sql tells of a shard. */
const INSIDE =
  /^(body of|trigger|column|constraint|index|view|extension|locale) /;

type Fingerprint = ReadonlyMap<string, string>;

/**
 * Compares signatures, privileges, policies, types, prices, plans and rules of the router and of all shards with
 * those of the first shard, and of shards also what decides what a call does: bodies of functions, triggers, columns,
 * constraints, indexes, views, extensions. A database that does not answer is one difference.
 */
export async function findDifferences(
  { router, shards }: Fleet,
): Promise<Difference[]> {
  const [first, ...others] = shards;
  if (!first) return [{ where: "router", what: "there is no shard" }];
  const expected = await fingerprintOf(first.url, true).catch(String);
  if (typeof expected === "string") {
    return [{ where: first.name, what: `does not answer: ${expected}` }];
  }
  const rest = [{ name: "router", url: router }, ...others];
  const found = await Promise.all(rest.map(async ({ name, url }) => {
    const isShard = url !== router;
    const actual = await fingerprintOf(url, isShard).catch(String);
    const wanted = isShard ? expected : outsideOf(expected);
    const differences = typeof actual === "string"
      ? [`does not answer: ${actual}`]
      : compare(wanted, actual, first.name);
    return differences.map((what) => ({ where: name, what }));
  }));
  const themselves = await Promise.all(shards.map(describeShard));
  const sends = await describeRouter(router, shards).catch(() => []);
  return [...found, ...themselves, sends].flat();
}

/** Where the router sends the calls of a group to another shard than the file says. */
async function describeRouter(
  router: string,
  shards: readonly Shard[],
): Promise<Difference[]> {
  const sent = await onDatabase(
    router,
    (sql) => sql`select number, shard from credits_router.groups order by 1`,
  );
  return sent.flatMap(({ number, shard }) => {
    const should = shards.find(({ groups }) => groups.includes(number))?.name;
    return shard === should ? [] : [{
      where: "router",
      what: `it takes slot group ${number} for ${shard}'s, not ${should}'s`,
    }];
  });
}

/** What of a shard the router has, too. */
function outsideOf(fingerprint: Fingerprint): Fingerprint {
  return new Map(
    [...fingerprint].filter(([key]) => !INSIDE.test(key)),
  );
}

/** Where a shard that answers is another, or does not follow the router's prices, plans and rules. */
async function describeShard(shard: Shard): Promise<Difference[]> {
  const { name, url } = shard;
  const follows = await isSubscribed(url).catch(() => true);
  const is = await describeItself(url).catch(() => undefined);
  const should = saysOf(name, shard.groups);
  const users = await describeUsers(url).catch(() => undefined);
  return [
    ...follows
      ? []
      : ["it does not follow the router's prices, plans and rules"],
    ...is === undefined || is === should
      ? []
      : [`it says that it is ${is}, not ${should}`],
    ...users ? [users] : [],
  ].map((what) => ({ where: name, what }));
}

const saysOf = (name: string, groups: readonly number[]) =>
  `${name} with the slot groups ${
    [...groups].sort((a, b) => a - b).join(", ")
  }`;

async function describeItself(url: string): Promise<string> {
  const [shard] = await onDatabase(
    url,
    (sql) => sql`select name, slot_groups from credits.shard`,
  );
  return shard ? saysOf(shard.name, shard.slot_groups) : "no shard";
}

/** @param than the name of the database that is expected */
export function compare(
  expected: Fingerprint,
  actual: Fingerprint,
  than: string,
): string[] {
  const keys = [...new Set([...expected.keys(), ...actual.keys()])].sort();
  return keys.flatMap((key) => {
    const [wanted, is] = [expected.get(key), actual.get(key)];
    if (wanted === is) return [];
    if (is === undefined) return [`${key} is missing`];
    if (wanted === undefined) return [`${key} is not on ${than}`];
    return [`${key} is ${is}; on ${than} it is ${wanted}`];
  });
}

async function fingerprintOf(
  url: string,
  isShard: boolean,
): Promise<Fingerprint> {
  const names = isShard
    ? ["fingerprint", "fingerprint_inside"]
    : ["fingerprint"];
  const queries = await Promise.all(
    names.map((name) =>
      readFile(new URL(`./${name}.sql`, import.meta.url), "utf8")
    ),
  );
  return onDatabase(url, async (sql) => {
    const objects = (await Promise.all(queries.map((query) =>
      sql.unsafe(query)
    )))
      .flat();
    const terms = await Promise.all(TERMS.map(async (table) => {
      const rows = await sql.unsafe(
        `select to_jsonb(t) as row from ${table} as t`,
      );
      return rows.map(({ row }): [string, string] => termOf(table, row));
    }));
    return new Map([
      ...objects.map(({ kind, name, is }): [string, string] => [
        `${kind} ${name}`,
        is ?? "",
      ]),
      ...terms.flat(),
    ]);
  });
}

/** A row by what names it; when a row came to be is no difference. */
function termOf(
  table: string,
  row: Readonly<Record<string, unknown>>,
): [string, string] {
  const names = ["provider", "name", "model", "meter", "effective_from"];
  const { created_at: _, ...rest } = row;
  const key = names.filter((name) => name in rest).map((name) => rest[name]);
  return [`row ${table} ${key.join(" ")}`.trim(), JSON.stringify(rest)];
}
