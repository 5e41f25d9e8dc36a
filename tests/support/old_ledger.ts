import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { main } from "../../scripts/adopt.ts";
import type { TestDatabaseOptions } from "../../scripts/test/database.ts";
import type { Proof, Report } from "../../scripts/adopt/report.ts";
import { runCommand } from "./command.ts";
import {
  type DatabaseServer,
  type FreshDatabase,
  startDatabaseServer,
} from "./databases.ts";

/** How many users have a history in an old ledger, unless told. */
export const USERS = 200;

/** The id of a user of old_ledger.sql. */
export function person(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

/** A way to decide everything that old_ledger.sql gets wrong. */
export const DECIDED: Readonly<Record<string, string>> = {
  "no-user": "set-aside",
  "null-delta": "set-aside",
  "out-of-range": "set-aside",
  "duplicates": "drop",
  "unknown-users": "account",
  "times": "clamp",
  "fractions": "round",
  "balance": "profile",
  "opening": "grant",
  "negative": "debt",
};

/** How large an old ledger is, beside the few rows in which something is wrong. */
export interface OldSize {
  readonly users: number;
  readonly rows: number;
}

/** A server that also makes databases with a ledger of their own. */
export interface OldDatabases extends DatabaseServer {
  readonly createOld: (size?: OldSize) => Promise<FreshDatabase>;
}

/** Starts a throw-away server that makes databases as old_ledger.sql fills them. */
export async function startOldDatabases(
  options?: TestDatabaseOptions,
): Promise<OldDatabases> {
  const script = await readFile("tests/support/old_ledger.sql", "utf8");
  const server = await startDatabaseServer(options);
  const originals = new Map<number, Promise<FreshDatabase>>();
  const makeOriginal = async ({ users, rows }: OldSize) => {
    const database = await server.create();
    await database.sql.unsafe(
      `set old.users = '${users}'; set old.rows = '${rows}'; ${script}`,
    );
    return database;
  };
  const createOld = async (size = { users: USERS, rows: 5_000 }) => {
    const original = originals.get(size.rows) ?? makeOriginal(size);
    originals.set(size.rows, original);
    return await server.copy(await original);
  };
  return { ...server, createOld };
}

/** Decisions as flags of `npm run adopt`. */
export function flags(decisions: Readonly<Record<string, string>>): string[] {
  return Object.entries(decisions).flatMap(([name, choice]) => [
    `--${name}`,
    choice,
  ]);
}

/** Runs `npm run adopt` to its end. */
export function adopt({ url }: FreshDatabase, ...args: string[]) {
  return runCommand(main, ["--db-url", url, ...args]);
}

/** Runs `npm run adopt -- --json` to its end. */
export async function adoptJson(database: FreshDatabase, ...args: string[]) {
  const { code, stdout, stderr } = await adopt(database, "--json", ...args);
  if (!stdout) throw new Error(stderr);
  return { code, stderr, ...JSON.parse(stdout) as Report & { proof?: Proof } };
}

/** Runs `npm run adopt` and ends it by SIGKILL after its first batch, before its last. */
export async function interrupt(
  database: FreshDatabase,
  args: readonly string[],
): Promise<void> {
  const child = spawn(
    process.execPath,
    ["scripts/run.mjs", "adopt", "--db-url", database.url, ...args],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = once(child, "close");
  for await (const text of child.stderr.setEncoding("utf8")) {
    if (/ entries \(/.test(text)) break;
  }
  await database.sql.begin(async (tx) => {
    // The next batch waits for this lock, and the killed one's connection ends with it.
    await tx`lock table adopted.accounts in exclusive mode`;
    child.kill("SIGKILL");
    await ended;
  });
}

/** What an adoption must make the same, however often it was interrupted. */
export async function readLedger({ sql }: FreshDatabase) {
  return {
    entries:
      await sql`select account_id, seq, delta, balance_after, kind, reason, metadata, grant_id is null as overdraft from public.credit_ledger order by account_id, seq`,
    accounts:
      await sql`select id, user_id, balance, debt, credit_limit, overdraft_used, last_seq from public.credit_accounts order by id`,
    grants:
      await sql`select account_id, kind, amount, remaining, external_ref from public.credit_grants order by account_id`,
    mapping: await sql`select * from adopted.mapping order by old_id`,
    aside:
      await sql`select old_id, set_aside from adopted.set_aside order by old_id`,
  };
}

/** Nothing is wrong with books and deployment. */
export async function expectSound({ sql }: FreshDatabase): Promise<void> {
  expect(await sql`select * from public.reconciliation_discrepancies`)
    .toEqual([]);
  expect(await sql`select * from public.verify_deployment() where not ok`)
    .toEqual([]);
}
