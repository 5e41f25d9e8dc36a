import { readFile } from "node:fs/promises";
import type { TransactionSql } from "postgres";
import {
  type Actor,
  doDamage,
  everybodysIds,
  type Parties,
} from "./access_parties.ts";
import { sql } from "./database.ts";

/** What an actor got from one attempt. */
export interface Attempt {
  readonly kind: "relation" | "sequence" | "function";
  readonly name: string;
  readonly call: string;
  readonly verb: string;
  /** The column, where a verb is tried a column at a time. */
  readonly columnName: string | null;
  /** `done`, or the SQLSTATE of the refusal. */
  readonly outcome: string;
}

/** What an actor can do with one object: `select own`, `execute`. */
export type Abilities = Map<string, string[]>;

/** SQLSTATEs that refuse: no privilege; and, for a view, nothing that could be written, or an identity. */
const REFUSALS = new Set(["42501", "55000", "42809", "428C9"]);

/** A pattern that nothing matches. */
const NOBODY = "x^";

/** Tries everything as each actor over SQL; what was achieved is rolled back. */
export function trySql(parties: Parties): Promise<Abilities[]> {
  return inVain(parties, async (transaction) => {
    const all: Abilities[] = [];
    for (const actor of parties.actors) {
      all.push(await tryAs(transaction, actor, parties));
    }
    return all;
  });
}

async function tryAs(
  transaction: TransactionSql,
  actor: Actor,
  parties: Parties,
): Promise<Abilities> {
  await become(transaction, actor);
  const attempts = await transaction<Attempt[]>`
    select kind, name, call, verb, column_name as "columnName",
      pg_temp.outcome(statement) as outcome
    from pg_temp.attempts order by name, verb
  `;
  const abilities: Abilities = new Map();
  for (const name of new Set(attempts.map(({ name }) => name))) {
    const group = attempts.filter((attempt) => attempt.name === name);
    const done = group.filter(({ outcome }) => !REFUSALS.has(outcome));
    const seen = await readRows(transaction, actor, parties, done);
    abilities.set(name, describe(group, done, seen));
  }
  return abilities;
}

/** Relations of the API's schema in which even their owner sees no row, so that trying to read them proves nothing. */
export function emptyRelations(parties: Parties): Promise<string[]> {
  return inVain(parties, async (transaction) => {
    // The views of operators show their rows to an operator alone, of any role.
    const operator = parties.actors.find(({ name }) => name === "operator")!;
    await become(transaction, { ...operator, role: "none" });
    const rows = await transaction<{ name: string }[]>`
      select name from pg_temp.objects
      where kind = 'relation' and schema = 'public'
        and pg_temp.rows_seen(call, '*', ${NOBODY}, ${NOBODY}) <> 'common'
      order by name
    `;
    return rows.map(({ name }) => name);
  });
}

/** Acts as somebody for the rest of the transaction, as the Data API does. */
export async function become(
  transaction: TransactionSql,
  { role, id, aal }: Pick<Actor, "role" | "id" | "aal">,
): Promise<void> {
  const claims = JSON.stringify({ role, sub: id, aal });
  await transaction`
    select set_config('request.jwt.claims', ${claims}, true),
      set_config('request.jwt.claim.sub', ${id ?? ""}, true),
      set_config('role', ${role}, true)
  `;
}

/** Runs an action in a transaction that has the attempts at hand and is rolled back. */
async function inVain<T>(
  parties: Parties,
  action: (transaction: TransactionSql) => Promise<T>,
): Promise<T> {
  const file = new URL("./access_attempts.sql", import.meta.url);
  const script = await readFile(file, "utf8");
  let result: { value: T } | undefined;
  const undo = new Error("nothing of this stays");
  await sql.begin(async (transaction) => {
    await transaction.unsafe(script);
    await doDamage(transaction, parties);
    result = { value: await action(transaction) };
    throw undo;
  }).catch((error) => {
    if (error !== undo) throw error;
  });
  return result!.value;
}

async function readRows(
  transaction: TransactionSql,
  { accounts }: Actor,
  parties: Parties,
  done: readonly Attempt[],
): Promise<string> {
  const columns = done.filter(({ kind, verb }) =>
    kind === "relation" && verb === "select"
  ).map(({ columnName }) => `"${columnName}"`);
  if (columns.length === 0) return "";
  const others = everybodysIds(parties).filter((id) => !accounts.includes(id));
  const [row] = await transaction<{ seen: string }[]>`
    select pg_temp.rows_seen(${done[0]!.call}, ${columns.join()},
      ${accounts.join("|") || NOBODY}, ${others.join("|")}) as seen
  `;
  return row!.seen;
}

/** One phrase a verb; of columns, those that can be changed, or those that cannot be read. */
function describe(
  group: readonly Attempt[],
  done: readonly Attempt[],
  seen: string,
): string[] {
  const verbs = [...new Set(done.map(({ verb }) => verb))];
  return verbs.map((verb) => {
    const able = columnsOf(done, verb);
    const all = columnsOf(group, verb);
    const hidden = all.filter((column) => !able.includes(column));
    const part = hidden.length === 0
      ? ""
      : verb === "select"
      ? ` but ${hidden.join(", ")}`
      : ` (${able.join(", ")})`;
    return `${verb}${verb === "select" && seen ? ` ${seen}` : ""}${part}`;
  });
}

function columnsOf(attempts: readonly Attempt[], wanted: string): string[] {
  return attempts.flatMap(({ verb, columnName }) =>
    verb === wanted && columnName ? [columnName] : []
  ).sort();
}
