import { readFile } from "node:fs/promises";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeBundle } from "../scripts/deploy/bundle.ts";
import { pushMigrations } from "../scripts/stack/migrate.ts";
import { readCatalog } from "./support/catalog.ts";
import {
  type DatabaseServer,
  OWN_MIGRATION,
  startDatabaseServer,
} from "./support/databases.ts";

const USER = "00000000-0000-4000-8000-0000000000c1";
const GIVE_UP_DATA = "set atomic_credits.keep_data = 'off';";

let server: DatabaseServer;
let bundle: string;
let rollback: string;
beforeAll(async () => {
  server = await startDatabaseServer();
  bundle = await makeBundle(process.cwd());
  rollback = await readFile("scripts/rollback.sql", "utf8");
});
afterAll(() => server.stop());

/** Gives a user credits and charges them, so that there is something to lose. */
async function useIt(sql: Sql): Promise<void> {
  await sql`insert into auth.users (id, email, email_confirmed_at) values (${USER}, 'c@example.com', now())`;
  await sql`select from public.atomic_charge_credits(${USER}, 'standard-image', '{"prompt": "a cat"}')`;
}

/** What a project may have of its own beside ours. */
const NEIGHBOURS = `
  create table public.pictures (id bigint primary key, owner uuid references auth.users (id));
  create view public.my_pictures as select * from public.pictures;
  create function public.on_user() returns trigger language plpgsql as 'begin return new; end';
  create trigger my_user_created after insert on auth.users for each row execute function public.on_user();
  create publication my_changes for table public.pictures;
`;

/** A function of the project's own under a name of ours, made after ours. */
const OVERLOAD =
  "create function public.grant_credits(p_note text) returns text language sql as 'select p_note'";

describe("rollback.sql", () => {
  test("leaves the catalog as it was before the bundle", async () => {
    const { sql } = await server.create();
    await sql.unsafe(NEIGHBOURS);
    const before = await readCatalog(sql);
    await sql.unsafe(bundle);
    await sql.unsafe(OVERLOAD);
    await useIt(sql);
    await sql.unsafe(GIVE_UP_DATA + rollback);
    expect(await sql`select public.grant_credits('mine') as note`).toEqual([{
      note: "mine",
    }]);
    await sql`drop function public.grant_credits`;
    expect(await readCatalog(sql)).toEqual(before);
    expect(await sql`select email from auth.users`).toMatchObject([{
      email: "c@example.com",
    }]);
  });

  test("says what it kept, and nothing else", async () => {
    const { url } = await server.create();
    const said: string[] = [];
    const onnotice = ({ message }: postgres.Notice) => {
      said.push(message ?? "");
    };
    const sql = postgres(url, { max: 1, onnotice });
    try {
      await sql.unsafe(bundle);
      said.length = 0;
      await sql.unsafe(rollback);
    } finally {
      await sql.end();
    }
    expect(said).toContainEqual(
      expect.stringMatching(
        /^the tables were copied to schema credits_backup_/,
      ),
    );
    const other = said.filter((line) =>
      !/^(the tables were copied|role credits_auditor stays)/.test(line)
    );
    expect(other).toEqual([]);
  });

  test("takes away a migration history that the bundle began, unless it is used", async () => {
    const { sql } = await server.create();
    await sql.unsafe("drop schema supabase_migrations cascade");
    const before = await readCatalog(sql);
    await sql.unsafe(bundle + GIVE_UP_DATA + rollback);
    expect(await readCatalog(sql)).toEqual(before);
    await sql.unsafe(bundle);
    await sql`insert into supabase_migrations.schema_migrations (version) values ('20270101000000')`;
    await sql.unsafe(rollback);
    expect(await sql`select version from supabase_migrations.schema_migrations`)
      .toMatchObject([{ version: "20270101000000" }]);
  });

  test("leaves migrations of yours that are numbered as ours are", async () => {
    const { sql } = await server.create();
    await sql.unsafe(OWN_MIGRATION);
    const before = await readCatalog(sql);
    await sql.unsafe(rollback);
    expect(await readCatalog(sql)).toEqual(before);

    await sql.unsafe(bundle + GIVE_UP_DATA + rollback);
    expect(await readCatalog(sql)).toEqual(before);
    expect(await sql`select version from supabase_migrations.schema_migrations`)
      .toEqual([{ version: "20260101000050" }]);
  });

  test("keeps a copy of the data, and lets bundle and db push apply again", async () => {
    const { url, sql } = await server.create();
    await sql.unsafe(bundle);
    await useIt(sql);
    await sql`select public.verify_ledger(${USER})`;
    await sql`select public.archive_ledger(clock_timestamp())`;
    const ofTable = (name: string) =>
      sql`select account_id, seq, delta, kind::text, hash from only ${
        sql(name)
      } order by seq`;
    await sql`select public.grant_credits(${USER}, 7)`;
    const kept = await ofTable("public.credit_ledger");
    const archived = await ofTable("public.credit_ledger_archive");
    expect([kept.length, archived.length]).toEqual([2, 1]);
    const tables =
      await sql`select relname from pg_class where relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and relkind in ('r', 'p') and relpersistence = 'p' and not relispartition order by 1`;
    await sql.unsafe(rollback);

    const [backup] =
      await sql`select nspname from pg_namespace where nspname like 'credits_backup_%'`;
    expect(await ofTable(`${backup!.nspname}.credit_ledger`)).toEqual(kept);
    expect(await ofTable(`${backup!.nspname}.credit_ledger_archive`))
      .toEqual(archived);
    expect(
      await sql`select relname from pg_class where relnamespace = ${
        backup!.nspname
      }::regnamespace and relkind = 'r' and relrowsecurity order by 1`,
    )
      .toEqual(tables);

    await pushMigrations(process.cwd(), url);
    await sql.unsafe(GIVE_UP_DATA + rollback + bundle);
    expect(await sql`select * from public.verify_deployment() where not ok`)
      .toEqual([]);
  });

  test("leaves a migration of yours that has a number of ours, where the history was lost", async () => {
    const { sql } = await server.create();
    await sql.unsafe(bundle);
    const [ours] =
      await sql`delete from supabase_migrations.schema_migrations returning version`;
    await sql`insert into supabase_migrations.schema_migrations (version, name) values (${
      ours!.version
    }, 'mine')`;
    await sql.unsafe(GIVE_UP_DATA + rollback);
    expect(await sql`select name from supabase_migrations.schema_migrations`)
      .toEqual([{ name: "mine" }]);
  });

  test("has nothing to do where applying failed: it applies whole or not at all", async () => {
    const { url, sql } = await server.create();
    // A table of the project's own that the release wants to create.
    await sql.unsafe("create table public.credit_request_events (mine text)");
    const before = await readCatalog(sql);
    await expect(pushMigrations(process.cwd(), url)).rejects.toThrow(
      /names that Atomic Credits needs are in use: public\.credit_request_events/,
    );
    expect(await readCatalog(sql)).toEqual(before);
    await sql.unsafe(GIVE_UP_DATA + rollback);
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("says when nothing tells any more what belongs to us", async () => {
    const { sql } = await server.create();
    await sql.unsafe(bundle);
    await sql`drop table credits.installation`;
    const before = await readCatalog(sql);
    await expect(sql.unsafe(rollback)).rejects.toThrow(
      "Atomic Credits is here, but nothing says what belongs to it",
    );
    await sql.unsafe("rollback");
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("does nothing where nothing is, also a second time", async () => {
    const { sql } = await server.create();
    const before = await readCatalog(sql);
    await sql.unsafe(rollback);
    await sql.unsafe(rollback);
    expect(await readCatalog(sql)).toEqual(before);
  });

  test.each([
    [
      "a view",
      "create view public.balances as select id, balance from public.credit_accounts",
      "view balances",
    ],
    [
      "a foreign key",
      "create table public.mine (id uuid, plan text references public.credit_plans (name))",
      "constraint mine_plan_fkey on table mine",
    ],
    [
      "a column of our type",
      "create table public.mine (state public.generation_job_status)",
      "column state of table mine",
    ],
    [
      "a policy",
      "create table public.mine (id uuid); create policy own on public.mine using (id in (select credits.my_account_ids()))",
      "policy own on table mine",
    ],
    [
      "a trigger",
      "create table public.mine (id uuid); create trigger mine before update on public.mine for each row execute function credits.ledger_refuse_change()",
      "trigger mine on table mine",
    ],
    [
      "a table in schema credits",
      "create table credits.mine (id uuid)",
      "table credits.mine",
    ],
  ])("refuses to remove what %s depends on", async (_, mine, named) => {
    const { sql } = await server.create();
    await sql.unsafe(bundle);
    await sql.unsafe(mine);
    const before = await readCatalog(sql);
    await expect(sql.unsafe(rollback)).rejects.toThrow(
      `something of yours depends on Atomic Credits: `,
    );
    await sql.unsafe("rollback");
    await expect(sql.unsafe(rollback)).rejects.toThrow(named);
    await sql.unsafe("rollback");
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("takes our jobs out of pg_cron, and leaves others", async () => {
    const { sql } = await server.create();
    await sql.unsafe(bundle);
    // No pg_cron can be had here: the table and the function of it that are used.
    await sql.unsafe(`
      create schema cron;
      create table cron.job (jobid bigint primary key, jobname text, command text, database text default current_database());
      create function cron.schedule(text, text, text) returns bigint language sql as
        'insert into cron.job select coalesce(max(jobid), 0) + 1, $1, $3 from cron.job returning jobid';
      create function cron.unschedule(bigint) returns boolean language sql as 'delete from cron.job where jobid = $1 returning true';
      select public.apply_schedule();
      insert into cron.job values
        (101, 'mine', 'select public.refill_pictures()'),
        (102, 'by hand', 'select public.sweep_overdue_jobs()'),
        (103, 'both', 'select public.expire_grants(); delete from public.pictures'),
        (104, 'namesake', 'select shop.grant_credits(7)'),
        (105, 'atomic-credits:mine', 'select 1'),
        (106, 'atomic-credits:reconcile', 'set statement_timeout = 1000; select from public.run_task(''reconcile'')');
      update cron.job set database = 'another' where jobid = 106;
    `);
    const ours =
      await sql`select from cron.job where jobid < 100 and database = current_database()`;
    expect(ours.length).toBeGreaterThan(5);
    await sql.unsafe(rollback);
    expect(await sql`select jobname from cron.job order by jobid`)
      .toEqual([
        { jobname: "mine" },
        { jobname: "by hand" },
        { jobname: "both" },
        { jobname: "namesake" },
        { jobname: "atomic-credits:mine" },
        { jobname: "atomic-credits:reconcile" },
      ]);
  });
});
