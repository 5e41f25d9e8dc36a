import { readFile } from "node:fs/promises";
import type { Sql } from "postgres";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeBundle } from "../scripts/deploy/bundle.ts";
import { readCatalog } from "./support/catalog.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "./support/databases.ts";

let server: DatabaseServer;
let bundle: string;
let rollback: string;
beforeAll(async () => {
  server = await startDatabaseServer();
  bundle = await makeBundle(process.cwd());
  rollback = `set atomic_credits.keep_data = 'off'; ${await readFile(
    "scripts/rollback.sql",
    "utf8",
  )}`;
});
afterAll(() => server.stop());

/** The databases of a test, which share their roles: what uses the auditor's goes with it. */
const opened: Sql[] = [];
afterEach(async () => {
  const [last] = opened;
  for (const sql of opened) {
    await sql.unsafe(
      `do $$ begin if to_regrole('credits_auditor') is not null then drop owned by credits_auditor cascade; end if; end $$`,
    );
  }
  await last!.unsafe("drop role if exists credits_auditor");
  opened.length = 0;
});
async function create(script: string): Promise<Sql> {
  const { sql } = await server.create();
  opened.push(sql);
  await sql.unsafe(script);
  return sql;
}

const auditor = (sql: Sql) =>
  sql`select rolcanlogin as login, shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = 'credits_auditor'`;
const REPORT = `
  create table public.my_report (id bigint);
  grant select on public.my_report to credits_auditor;`;

describe("rollback.sql and the role credits_auditor", () => {
  test("removes the one that the bundle made", async () => {
    const sql = await create(bundle);
    expect(await auditor(sql)).toMatchObject([{ login: false }]);
    await sql.unsafe(rollback);
    expect(await auditor(sql)).toEqual([]);
  });

  test.each([
    ["without usage of schema public", ""],
    ["with it", "grant usage on schema public to credits_auditor;"],
  ])("takes nothing from one that was there before, %s", async (_, usage) => {
    const sql = await create(`
      create role credits_auditor login;
      comment on role credits_auditor is 'ours';
      ${usage} ${REPORT}
      create table public.its_own (id bigint);
      grant create on schema public to credits_auditor;
      grant credits_auditor to postgres;
      alter table public.its_own owner to credits_auditor;`);
    const [catalog, role] = [await readCatalog(sql), await auditor(sql)];
    await sql.unsafe(bundle);
    expect(
      await sql`select has_schema_privilege('credits_auditor', 'public', 'usage') and has_any_column_privilege('credits_auditor', 'public.credit_ledger', 'select') as reads`,
    ).toEqual([{ reads: true }]);
    expect(await auditor(sql)).toEqual(role);
    await sql.unsafe(rollback);
    expect(await readCatalog(sql)).toEqual(catalog);
    expect(await auditor(sql)).toEqual(role);
  });

  test("leaves the bundle's where something of yours is for it", async () => {
    const sql = await create(bundle + REPORT);
    await sql.unsafe(rollback);
    expect(
      await sql`select has_table_privilege('credits_auditor', 'public.my_report', 'select') as reads`,
    ).toEqual([{ reads: true }]);
    await sql.unsafe("drop table public.my_report");
    await sql.unsafe(bundle + rollback);
    expect(await auditor(sql)).toEqual([]);
  });

  test("leaves it with its privileges while another database uses it", async () => {
    const one = await create(bundle);
    const another = await create(REPORT + bundle);
    await one.unsafe(rollback);
    expect(
      await another`select has_any_column_privilege('credits_auditor', 'public.credit_ledger', 'select') as allowed`,
    ).toEqual([{ allowed: true }]);
    await another.unsafe(rollback);
    expect(
      await another`select has_table_privilege('credits_auditor', 'public.my_report', 'select') as allowed`,
    ).toEqual([{ allowed: true }]);
    expect(await auditor(one)).toHaveLength(1);
  });
});
