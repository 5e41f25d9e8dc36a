import { readFile } from "node:fs/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type DatabaseServer,
  type FreshDatabase,
  startDatabaseServer,
} from "./support/databases.ts";

const USER = "00000000-0000-4000-8000-0000000000c1";
const MINT =
  `set role anon; select public.grant_credits('${USER}', 1000000000)`;
const NOT_OK =
  "select check_name, detail, remedy from public.verify_deployment() where not ok";

let server: DatabaseServer;
/** An installation that has been in use, and one that has just been made. */
let used: FreshDatabase;
let pushed: FreshDatabase;
beforeAll(async () => {
  server = await startDatabaseServer({ migrated: true });
  pushed = await server.create();
  used = await server.create();
  await used.sql.unsafe(IN_USE);
});
afterAll(() => server.stop());

const IN_USE = `
  update public.credit_settings set sign_up_credits = 1234;
  insert into public.credit_plans (name, rate_limit_requests) values ('team', 60);
  insert into auth.users (id, email, email_confirmed_at) values ('${USER}', 'c@example.com', now());
  select from public.set_account_plan('${USER}', 'team');
  select from public.atomic_charge_credits('${USER}', 'standard-image', '{"prompt": "a cat"}');
  select from public.generation_jobs as j cross join public.refund_credits(j.id, 100);
  select from public.grant_credits('${USER}', 500, 'bought', 'purchase', p_external_ref => 'payment-1');
  select from public.withdraw_credits('${USER}', 34, p_external_ref => 'ticket-1');
  insert into public.credit_request_events (account_id, status, code, created_at)
    values ('${USER}', 429, 'rate_limited', now() - interval '2 months');
  select from public.run_task('expire-grants');
  select from public.verify_ledger('${USER}');
`;

/**
 * What the embedded server, which comes without pg_dump, cannot do itself: the
 * state in which a restored schema is. Dump and restore with pg_dump are a step
 * of \`.ci/run\` (scripts/test/restore.ts).
 */
async function loseWhatADumpLoses({ url }: FreshDatabase): Promise<void> {
  await asSuperuser(
    url,
    async (sql) =>
      await sql.unsafe(`
        grant all on all tables in schema public to anon, authenticated, service_role;
        grant all on all functions in schema public to anon, authenticated, service_role;
        grant all on all sequences in schema public to anon, authenticated, service_role;
        drop trigger atomic_credits_user_created on auth.users;
        alter table auth.users disable trigger atomic_credits_user_deleted;
        alter publication supabase_realtime drop table public.generation_jobs;
        drop schema supabase_migrations cascade;`),
  );
}

async function asSuperuser<T>(
  url: string,
  action: (sql: Sql) => Promise<T>,
): Promise<T> {
  const owner = new URL(url);
  owner.username = "supabase_admin";
  const sql = postgres(owner.href, { max: 1, onnotice: () => {} });
  try {
    return await action(sql);
  } finally {
    await sql.end();
  }
}

/** Every table with rows of its own, in the order in which pg_dump writes their data. */
async function tablesOf(sql: Sql): Promise<string[]> {
  const rows = await sql`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('public', 'credits') and c.relkind = 'r'
    order by n.nspname, c.relname`;
  return rows.map(({ name }) => name);
}

/** What pg_dump --data-only and psql do: a COPY for each table and a setval for each sequence, in the role replica. */
async function moveData(from: FreshDatabase, to: FreshDatabase): Promise<void> {
  await asSuperuser(from.url, async (source) => {
    const folder = (await source`show data_directory`)[0]!.data_directory;
    const tables = await tablesOf(source);
    for (const table of tables) {
      await source.unsafe(`copy ${table} to '${folder}/${table}.copy'`);
    }
    const sequences = await source`
      select format('%I.%I', schemaname, sequencename) as name, last_value
      from pg_sequences where schemaname in ('public', 'credits')`;
    await asSuperuser(to.url, async (target) => {
      await target`set session_replication_role = replica`;
      for (const table of tables) {
        await target.unsafe(`copy ${table} from '${folder}/${table}.copy'`);
      }
      for (const { name, last_value } of sequences) {
        if (last_value) await target`select setval(${name}, ${last_value})`;
      }
    });
  });
}

async function chargeAgain(sql: Sql): Promise<unknown[]> {
  const charged = await sql`
    select status, code, balance::integer from public.atomic_charge_credits(
      ${USER}, 'standard-image', ${sql.json({ prompt: "a dog" })})`;
  return [...charged];
}

describe("a schema that was restored where default privileges are generous", () => {
  let restored: FreshDatabase;
  beforeAll(async () => {
    restored = await server.copy(used);
    used = restored;
    await loseWhatADumpLoses(restored);
  });

  test("lets nobody mint", async () => {
    const { sql } = restored;
    await expect(sql.unsafe(MINT)).rejects.toMatchObject({
      code: "42501",
      hint: expect.stringContaining("public.repair_deployment()"),
    });
    await sql`reset role`;
  });

  test("is not ok, and one call puts it right", async () => {
    const { sql } = restored;
    const found = await sql.unsafe(NOT_OK);
    expect(found.map(({ check_name }) => check_name)).toEqual(
      expect.arrayContaining([
        "every trigger is there, also on auth.users",
        "users see their jobs change",
        "privileges are the delivered ones",
        "no function is executable by PUBLIC or anon",
      ]),
    );
    for (const { remedy } of found) {
      expect(remedy).toContain("select public.repair_deployment();");
    }
    expect(
      (await sql`select * from public.repair_deployment()`).length,
    ).toBeGreaterThan(100);
    expect(await sql`select * from public.repair_deployment()`).toEqual([]);
    expect(await sql.unsafe(NOT_OK)).toEqual([]);
    await expect(sql.unsafe(MINT)).rejects.toThrow("permission denied");
    await sql`reset role`;
  });

  test("goes on: users come and go, the chain verifies, the next charge passes", async () => {
    const { sql } = restored;
    expect(await chargeAgain(sql)).toEqual([
      { status: 201, code: "charged", balance: 800 },
    ]);
    expect(await sql`select sound from public.verify_ledger(${USER}, true)`)
      .toEqual([{ sound: true }]);
    await sql`insert into auth.users (id, email, email_confirmed_at) values (gen_random_uuid(), 'd@example.com', now())`;
    expect(
      await sql`select amount::integer from public.credit_grants where reason = 'sign-up grant'`,
    ).toEqual([{ amount: 1234 }, { amount: 1234 }]);
    await sql`delete from auth.users where id = ${USER}`;
    expect(
      await sql`select closed_at is null as is_open from public.credit_accounts where id = ${USER}`,
    ).toEqual([{ is_open: false }]);
  });
});

test("data is restored onto migrations that were just applied", async () => {
  const source = await server.create();
  await source.sql.unsafe(IN_USE);
  const target = await server.copy(pushed);
  pushed = target;
  // A task may have run between the migrations and the restore.
  await target.sql`select from public.run_task('expire-grants')`;
  await moveData(source, target);

  const { sql } = target;
  for (const table of await tablesOf(source.sql)) {
    const contents = (database: Sql) =>
      database.unsafe(`select t::text as row from ${table} as t order by 1`);
    expect(await contents(sql), table).toEqual(await contents(source.sql));
  }
  await sql`update public.credit_scheduled_tasks set created_at = now()`;
  expect(await sql.unsafe(NOT_OK)).toEqual([]);
  expect(await chargeAgain(sql)).toEqual([
    { status: 201, code: "charged", balance: 800 },
  ]);
  expect(await sql`select sound from public.verify_ledger(${USER}, true)`)
    .toEqual([{ sound: true }]);
  expect(
    await sql`select replayed from public.withdraw_credits(${USER}, 34, p_external_ref => 'ticket-1')`,
  ).toEqual([{ replayed: true }]);
  expect(
    await sql`select discrepancies::integer from public.reconcile_credit_ledger(true)`,
  ).toEqual([{ discrepancies: 0 }]);
  // The mailbox is known again: no second sign-up grant.
  await sql`insert into auth.users (id, email, email_confirmed_at) values (gen_random_uuid(), 'c+again@example.com', now())`;
  expect(
    await sql`select from public.credit_request_events where code = 'sign_up_granted_before'`,
  ).toHaveLength(1);
});

test("docs/restore.md names the call that puts things right", async () => {
  expect(await readFile("docs/restore.md", "utf8")).toContain(
    "select * from repair_deployment();",
  );
});
