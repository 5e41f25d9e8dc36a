import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import postgres from "postgres";
import { afterAll, beforeAll, inject } from "vitest";
import type { Fleet, Shard } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { makeRouter } from "../../scripts/shards/router.ts";
import { redirectSql, rereadSql } from "../../scripts/shards/servers.ts";
import { withDatabase } from "../../scripts/test/database.ts";
import { hasPlProxy, SHARDS } from "../../scripts/test/fleet.ts";

export { SHARDS };

/** Whether this machine can run a fleet: Debian's Postgres with PL/Proxy. */
export const canRoute = await hasPlProxy();

/** What a file's tests use of the one fleet. */
export interface SharedFleet {
  readonly fleet: Fleet;
  readonly router: postgres.Sql;
  /** Ids of accounts that no other file uses, one for each shard. */
  readonly accounts: readonly string[];
}

/** The fleet that all files share; the global set-up starts it when the first file asks. */
export async function findFleet(): Promise<Fleet> {
  return await ask("");
}

/** Stops the server of the last shard at once, or starts it again. */
export async function lastShard(action: "stop" | "start"): Promise<void> {
  await ask(`/${action}`);
}

/** Runs an action while the server of the last shard is stopped. */
export async function whileDown<T>(action: () => Promise<T>): Promise<T> {
  await lastShard("stop");
  try {
    return await action();
  } finally {
    await lastShard("start");
  }
}

/** Runs an action while the last shard is looked for at another address. */
export async function withLastAt(
  { router, shards }: Fleet,
  { port, reads }: { port: number; reads: boolean },
  action: () => Promise<void>,
): Promise<void> {
  const last = shards.at(-1)!;
  const redirect = (last: Shard) =>
    onDatabase(
      router,
      (sql) =>
        sql.unsafe(
          `${redirectSql({ shards: [...shards.slice(0, -1), last] })}
          ${reads ? rereadSql(last) : ""}`,
        ),
    );
  const through = `postgresql://127.0.0.1:${port}/${last.name}`;
  try {
    await redirect({ ...last, through });
    await action();
  } finally {
    await redirect(last);
  }
}

/** Runs an action while calls and reads of the last shard get a connection, and no answer. */
export async function withoutAnswer(
  fleet: Fleet,
  action: () => Promise<void>,
): Promise<void> {
  const mute = createServer(() => {});
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  const { port } = mute.address() as AddressInfo;
  try {
    await withLastAt(fleet, { port, reads: true }, action);
  } finally {
    mute.close();
  }
}

/** How many hand-overs a router's functions see, of one, on a server where no shard has let its role in. */
export async function rowsForRouter(fleet: Fleet): Promise<number> {
  const { sql: script } = await makeRouter(fleet);
  let rows = -1;
  await onDatabase(
    fleet.router,
    (sql) =>
      sql.begin(async (tx) => {
        await tx`alter role credits_router nobypassrls`;
        await tx`revoke anon, authenticated, service_role, credits_auditor from credits_router`;
        await tx.unsafe(script);
        await tx`insert into credits.handovers (kind, person_id, slot_group) values ('join', gen_random_uuid(), 0)`;
        await tx`set local role credits_router`;
        await tx`select balance from public.credit_accounts where false`;
        [{ rows }] =
          await tx`select count(*)::integer as rows from credits.handovers` as unknown as [
            { rows: number },
          ];
        throw new Error("undone");
      }),
  ).catch((error) => {
    if (error.message !== "undone") throw error;
  });
  return rows;
}

async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(`${inject("stacks")}/fleet${path}`);
  if (!answer.ok) throw new Error(await answer.text());
  return await answer.json();
}

/**
 * The fleet, for the tests of a file.
 *
 * @param alone nobody else uses it meanwhile: for a file that stops a shard, or changes what is common
 */
export function useFleet({ alone = false } = {}): SharedFleet {
  const shared: { -readonly [K in keyof SharedFleet]?: SharedFleet[K] } = {};
  let gate: postgres.Sql;
  beforeAll(async () => {
    if (!canRoute) return;
    shared.fleet = await findFleet();
    const { router } = shared.fleet;
    gate = postgres(withDatabase(router, "bare"), { max: 1 });
    await gate`set statement_timeout = 0`;
    await gate.unsafe(
      `select pg_advisory_lock${alone ? "" : "_shared"}(4242)`,
    );
    // The router keeps no plans: what is asked depends on who asks.
    shared.router = postgres(router, {
      max: 4,
      prepare: false,
      onnotice: () => {},
    });
    shared.accounts = await accountsOf(shared.fleet);
  });
  afterAll(async () => {
    await shared.router?.end({ timeout: 5 });
    await gate?.end({ timeout: 5 });
  });
  return shared as SharedFleet;
}

/** New ids of accounts, one for each shard. */
export async function accountsOf(fleet: Fleet): Promise<string[]> {
  return await onDatabase(
    fleet.router,
    (sql) =>
      Promise.all(SHARDS.map(async (shard) => {
        const [row] = await sql`select id from
        (select gen_random_uuid() as id from generate_series(1, 200)) as i
        where credits_router.shard_of(id) = ${shard} limit 1`;
        return row!.id as string;
      })),
  );
}

/** Runs an action in a transaction as a role of the Data API. */
export function as<T>(
  sql: postgres.Sql,
  role: string,
  sub: string | undefined,
  action: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  return sql.begin(async (tx) => {
    const claims = JSON.stringify({ role, sub });
    await tx`select set_config('role', ${role}, true),
      set_config('request.jwt.claim.sub', ${sub ?? ""}, true),
      set_config('request.jwt.claims', ${claims}, true)`;
    return await action(tx);
  }) as Promise<T>;
}

/** Runs an action as the app's server does. */
export const asService = <T>(
  sql: postgres.Sql,
  action: (tx: postgres.TransactionSql) => Promise<T>,
) => as(sql, "service_role", undefined, action);
