import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { expect } from "vitest";
import type { Fleet } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { literal } from "../../scripts/shards/sql.ts";
import { withDatabase } from "../../scripts/test/database.ts";

/** What ps and the superuser see of a program that copies. */
export interface Copying {
  readonly program: string;
  readonly args: string;
  readonly password: string | undefined;
}

/** Begins a move in a process of its own, and kills it while it copies. */
export async function killWhenCopying(
  fleet: Fleet,
  args: string[],
  env: Readonly<Record<string, string>>,
): Promise<Copying[]> {
  const child: ChildProcess = spawn(process.execPath, [
    "scripts/run.mjs",
    "shards",
    ...args,
  ], { stdio: "ignore", env: { ...process.env, ...env } });
  const database = basename(new URL(env.SHARDS_URL!).pathname);
  const copiers = new Map<string, Copying>();
  const server = postgres(withDatabase(fleet.router, "template1"), { max: 1 });
  try {
    for (;;) {
      const [copying] =
        await server`select from pg_stat_activity where datname = 'moved' and application_name = 'psql'`;
      for (const one of await findCopiers(database)) {
        copiers.set(one.program, one);
      }
      if (copying && copiers.size === 2) break;
      expect(child.exitCode).toBeNull();
      await sleep(20);
    }
  } finally {
    await server.end({ timeout: 5 });
    child.kill("SIGKILL");
  }
  await once(child, "exit");
  return [...copiers.values()]
    .sort((a, b) => a.program.localeCompare(b.program));
}

/** The programs that copy into a database. */
async function findCopiers(database: string): Promise<Copying[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(pids.map(async (pid) => {
    const [args, env] = await Promise.all(
      ["cmdline", "environ"].map((file) =>
        readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")
      ),
    );
    const [program = ""] = args!.split("\0");
    const password = /(?:^|\0)PGPASSWORD=([^\0]*)/.exec(env!)?.[1];
    return { program: basename(program), args: args!, password, env: env! };
  }));
  return all.filter(({ program, env }) =>
    /^(pg_dump|psql)$/.test(program) && env.includes(`/${database}`)
  ).map(({ program, args, password }) => ({ program, args, password }));
}

/** An external_ref for each of these slot groups, that is looked up there. */
export async function refsListedAt(
  router: postgres.Sql,
  groups: readonly number[],
  kind = "order",
): Promise<string[]> {
  const rows = await router`select distinct on (slot_group) ref
    from (select ${`${kind}-`} || n as ref, credits.slot_group(credits.ref_home(${`${kind}-`} || n)) as slot_group
      from generate_series(1, 500) as n) as r where slot_group = any (${[
    ...groups,
  ]})`;
  return rows.map(({ ref }) => ref as string);
}

export const noteErasure = (url: string, person: string) =>
  onDatabase(
    url,
    (sql) =>
      sql`insert into public.account_erasures (account_id) values (${person})`,
  );

export const hasErasure = (url: string, person: string) =>
  onDatabase(
    url,
    async (sql) =>
      (await sql`select from public.account_erasures where account_id = ${person}`)
        .length === 1,
  );

export async function expectOldRefuses(
  url: string,
  account: string,
): Promise<void> {
  const old = postgres(url, { max: 1 });
  const refused = await old`select public.grant_credits(${account}, 1)`.catch((
    error,
  ) => error);
  await old.end({ timeout: 5 });
  expect(refused.code).toBe("25006");
}

export async function total(router: postgres.Sql) {
  return [
    ...await router`select count(*), sum(balance) from public.credit_accounts`,
  ];
}

export async function followsTheRouter(
  { shards }: Fleet,
  router: postgres.Sql,
): Promise<void> {
  await router`update public.credit_settings set low_balance_credits = low_balance_credits + 3`;
  const [told] =
    await router`select low_balance_credits as credits from public.credit_settings`;
  for (const { url, name } of shards) {
    const shard = postgres(url, { max: 1 });
    await expect.poll(
      async () =>
        (await shard`select low_balance_credits as credits from public.credit_settings`)[
          0
        ]!.credits,
      {
        message: name,
        timeout: 10_000,
      },
    ).toBe(told!.credits);
    await shard.end({ timeout: 5 });
  }
}

export function withPassword(url: string, password: string): string {
  const changed = new URL(url);
  changed.password = password;
  return changed.href;
}

/** Prepares a transaction that has written; resolves to what undoes it. */
export async function prepareTransaction(
  url: string,
  name: string,
): Promise<() => Promise<void>> {
  const run = (statement: string) =>
    onDatabase(url, async (sql) => void await sql.unsafe(statement).simple());
  const quoted = literal(name);
  await run(`begin;
    update public.credit_settings set low_balance_credits = low_balance_credits;
    prepare transaction ${quoted}`);
  return () => run(`rollback prepared ${quoted}`);
}

/** Changes how a database sorts texts, from what it is expected to have. */
export async function changeLocale(
  url: string,
  from: string,
  to: string,
): Promise<void> {
  const changed = await onDatabase(
    url,
    (sql) =>
      sql`update pg_database set datcollate = ${to} where datname = current_database() and datcollate = ${from}
        returning datname`,
  );
  expect(changed, `${url} sorts as ${from}`).toHaveLength(1);
}

/** A user of the time before there was a router. */
export const addUser = (url: string, id: string) =>
  onDatabase(url, async (sql) => {
    await sql`set session_replication_role = replica`;
    await sql`insert into auth.users (id, email) values (${id}, ${`${id}@before.test`})`;
  });

export const hasUser = (url: string, id: string) =>
  onDatabase(
    url,
    async (sql) =>
      (await sql`select from auth.users where id = ${id}`).length === 1,
  );

/** Runs an action while a table of the app's refers to a user of the time before. */
export async function withReference<T>(
  url: string,
  id: string,
  action: () => Promise<T>,
): Promise<T> {
  await addUser(url, id);
  await onDatabase(url, async (sql) => {
    await sql`create table public.profiles (id uuid references auth.users)`;
    await sql`insert into public.profiles values (${id})`;
  });
  const result = await action();
  await onDatabase(url, async (sql) => {
    await sql`set session_replication_role = replica`;
    await sql`drop table public.profiles`;
    await sql`delete from auth.users where id = ${id}`;
  });
  return result;
}
