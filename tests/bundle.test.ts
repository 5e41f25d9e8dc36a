import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeRelease } from "../scripts/deploy/book.ts";
import { makeBundle } from "../scripts/deploy/bundle.ts";
import { makeHistory } from "../scripts/release/history.ts";
import { pushMigrations, supabaseCli } from "../scripts/stack/migrate.ts";
import { readCatalog } from "./support/catalog.ts";
import {
  type DatabaseServer,
  type FreshDatabase,
  OWN_MIGRATION,
  startDatabaseServer,
} from "./support/databases.ts";
import { contentsOf, readRows, type StoredRows } from "./support/rows.ts";

let server: DatabaseServer;
let bundle: string;
/** Originals of databases that have the ledger, by what applied it. */
let bundled: FreshDatabase;
let pushed: FreshDatabase;
let since: Date;
beforeAll(async () => {
  server = await startDatabaseServer();
  bundle = await makeBundle(process.cwd());
  since = new Date();
  bundled = await server.create();
  await bundled.sql.unsafe(bundle);
  pushed = await server.create();
  await pushMigrations(process.cwd(), pushed.url);
});
afterAll(() => server.stop());

/** Tables that the migrations fill. */
const SEEDED = [
  "credits.installation",
  "credits.secrets",
  "public.credit_alert_rules",
  "public.credit_anomaly_rules",
  "public.credit_plans",
  "public.credit_settings",
  "public.reconciliation_classes",
  "public.generation_model_rates",
  "public.generation_models",
  "public.credit_scheduled_tasks",
];

/** What an operator may have changed of these, and what an app may have added. */
const OPERATED = `
  update public.credit_settings set sign_up_credits = 7;
  update public.credit_plans set rate_limit_requests = 99;
  update public.credit_alert_rules set threshold = 0.5, enabled = false where name = 'discrepancies';
  update public.credit_anomaly_rules set threshold = 123 where name = 'spike_of_402';
  update public.credit_scheduled_tasks set schedule = '1 1 * * *', enabled = false where name = 'reconcile';
  delete from public.credit_scheduled_tasks where name = 'detect-anomalies';
  select from public.set_model_price('mine', '{"image": 3}', '2026-01-01', '{"provider": "openai", "provider_model": "gpt-image-1"}');
  select from public.grant_credits('00000000-0000-4000-8000-0000000000c1', 500);
  select from public.atomic_charge_credits('00000000-0000-4000-8000-0000000000c1', 'standard-image', '{"prompt": "a cat"}');
`;

describe("the bundle", () => {
  test("makes what supabase db push makes, to the last comment, privilege and row", async () => {
    const [one, other] = [
      await server.copy(bundled),
      await server.copy(pushed),
    ];
    expect(await readCatalog(one.sql)).toEqual(await readCatalog(other.sql));
    const [ours, theirs] = [await readRows(one.sql), await readRows(other.sql)];
    expect(Object.keys(ours)).toEqual(expect.arrayContaining(SEEDED));
    // Of the releases before, a new installation has no record.
    const { steps } = await makeHistory(process.cwd());
    const contents = (rows: StoredRows) => {
      const { "credits.installation": record, ...others } = contentsOf(
        rows,
        since,
      );
      return steps.length === 0 ? { record, ...others } : others;
    };
    expect(contents(ours)).toEqual(contents(theirs));
    const secret = (rows: StoredRows) => rows["credits.secrets"]![0]!.values;
    expect(secret(ours)).not.toEqual(secret(theirs));
  });

  test("leaves supabase db push nothing to do", async () => {
    const { url } = await server.copy(bundled);
    const push = await supabaseCli(
      ["db", "push", `--remote=${url}`, "--yes"],
      process.cwd(),
    );
    expect(push.stdout + push.stderr).toContain("up to date");
  });

  test("lets a project push its own migrations once it has our files", async () => {
    const { url, sql } = await server.copy(bundled);
    const project = await mkdtemp(join(tmpdir(), "atomic-credits-adopter-"));
    const migrations = join(project, "supabase", "migrations");
    const push = () =>
      supabaseCli(["db", "push", `--remote=${url}`, "--yes"], project);
    try {
      await mkdir(migrations, { recursive: true });
      await writeFile(
        join(migrations, "29990301120000_pictures.sql"),
        "create table public.pictures (id bigint primary key);",
      );
      const refused = await push();
      expect(refused.status).not.toBe(0);
      expect(refused.stdout + refused.stderr).toContain("not found in local");

      await cp("supabase/migrations", migrations, { recursive: true });
      const pushed = await push();
      expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
      expect(await sql`select to_regclass('public.pictures')::text as made`)
        .toEqual([{ made: "pictures" }]);
    } finally {
      await rm(project, { recursive: true });
    }
  });

  test("lets an app with later migrations of its own push ours among them, with --include-all", async () => {
    const { url, sql } = await server.create();
    const project = await mkdtemp(join(tmpdir(), "atomic-credits-app-"));
    const migrations = join(project, "supabase", "migrations");
    const push = async (folder: string, ...flags: string[]) => {
      const run = await supabaseCli(
        ["db", "push", `--remote=${url}`, "--yes", ...flags],
        folder,
      );
      return { status: run.status, text: run.stdout + run.stderr };
    };
    try {
      await mkdir(migrations, { recursive: true });
      await writeFile(
        join(migrations, "20260301120000_pictures.sql"),
        "create table public.pictures (id bigint primary key);",
      );
      expect(await push(project)).toMatchObject({ status: 0 });
      // From our folder the CLI misses the app's files.
      expect(await push(process.cwd())).toMatchObject({
        status: 1,
        text: expect.stringContaining("not found in local"),
      });
      await cp("supabase/migrations", migrations, { recursive: true });
      expect(await push(project)).toMatchObject({
        status: 1,
        text: expect.stringContaining("--include-all"),
      });
      expect(await push(project, "--include-all")).toMatchObject({ status: 0 });
      expect(await sql`select * from public.verify_deployment() where not ok`)
        .toEqual([]);
    } finally {
      await rm(project, { recursive: true });
    }
  });

  test.each<[string, () => FreshDatabase]>([
    ["itself", () => bundled],
    ["supabase db push", () => pushed],
  ])(
    "changes nothing after %s, also of what an operator has set",
    async (_, original) => {
      const { sql } = await server.copy(original());
      await sql.unsafe(OPERATED);
      const state = async () => ({
        catalog: await readCatalog(sql),
        rows: await readRows(sql),
        written: await sql`
        select (select max(xmin::text::bigint) from pg_class) as relations,
          (select max(xmin::text::bigint) from pg_proc) as functions`,
      });
      const before = await state();
      expect(Object.keys(before.rows)).toEqual(expect.arrayContaining(SEEDED));
      for (const round of [1, 2]) {
        await sql.unsafe(bundle);
        expect(await state(), `round ${round}`).toEqual(before);
      }
    },
  );

  test("completes a history that a restore has lost", async () => {
    const { sql } = await server.copy(bundled);
    const history = () =>
      sql`select version, name from supabase_migrations.schema_migrations order by 1`;
    const before = await history();
    await sql`delete from supabase_migrations.schema_migrations`;
    await sql.unsafe(bundle);
    expect(await history()).toEqual(before);
    expect(await sql`select * from public.verify_deployment() where not ok`)
      .toEqual([]);
  });

  test("refuses another version, and names its release", async () => {
    const { sql } = await server.copy(bundled);
    const { release, checksum } = await makeRelease(process.cwd());
    const changed = bundle.replaceAll(checksum, "0".repeat(64));
    await expect(sql.unsafe(changed)).rejects.toThrow(
      `another version of Atomic Credits is installed: release ${release}, checksum ${
        checksum.slice(0, 8)
      }`,
    );
  });

  test("refuses a database that does not say which release it has", async () => {
    const { sql } = await server.copy(bundled);
    await sql`drop table credits.installation`;
    await expect(sql.unsafe(bundle)).rejects.toThrow(
      "Atomic Credits is here, but nothing says which release",
    );
  });

  test("goes beside migrations of yours that are numbered as ours are", async () => {
    const { sql } = await server.create();
    await sql.unsafe(OWN_MIGRATION);
    await sql.unsafe(bundle + bundle);
    await sql.unsafe("drop table public.invoices cascade");
    expect(await sql`select * from public.verify_deployment() where not ok`)
      .toEqual([]);
  });

  test("says when a migration of yours has a number of ours", async () => {
    const { sql } = await server.create();
    await sql.unsafe(
      OWN_MIGRATION.replaceAll("20260101000050", "20260101000100"),
    );
    await expect(sql.unsafe(bundle)).rejects.toThrow(
      "migration 20260101000100 (init) is none of Atomic Credits, which has one of this number",
    );
  });

  test("shows the way to a database that has a credit_ledger of its own", async () => {
    const { url, sql } = await server.create();
    await sql.unsafe("create table public.credit_ledger (id bigint)");
    const before = await readCatalog(sql);
    const refusal = await sql.unsafe(bundle).catch((error) => error);
    expect(refusal).toMatchObject({
      message: "this database has a credit_ledger of its own",
      hint: expect.stringContaining("npm run adopt -- --db-url"),
    });
    // Of what stands around it, psql shows all: no migration in full.
    expect(refusal.where.length).toBeLessThan(200);
    expect(await readCatalog(sql)).toEqual(before);

    const push = await supabaseCli(
      ["db", "push", `--remote=${url}`, "--yes"],
      process.cwd(),
    );
    expect(push.status).not.toBe(0);
    expect(push.stdout + push.stderr).toMatch(
      /this database has a credit_ledger of its own[^]*npm run adopt/,
    );
    expect(await sql`select to_regnamespace('credits') as made`)
      .toEqual([{ made: null }]);
  });

  test("names all of yours that stands under a name of ours, before it makes anything", async () => {
    const { url, sql } = await server.create();
    await sql`create table public.credit_alerts (id int)`;
    await sql`create type public.generation_job_status as enum ('new')`;
    await sql`create function public.grant_credits(text) returns text language sql as 'select $1'`;
    const before = await readCatalog(sql);
    const taken =
      "in use: public.credit_alerts, public.generation_job_status, public.grant_credits";
    await expect(sql.unsafe(bundle)).rejects.toThrow(taken);
    const push = await supabaseCli(
      ["db", "push", `--remote=${url}`, "--yes"],
      process.cwd(),
    );
    expect(push.stdout + push.stderr).toContain(taken);
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("leaves a schema credits of yours alone", async () => {
    const { sql } = await server.create();
    await sql.unsafe(
      "create schema credits; create table credits.mine (id int)",
    );
    const before = await readCatalog(sql);
    await expect(sql.unsafe(bundle)).rejects.toThrow(
      "this database has a schema credits of its own",
    );
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("applies whole or not at all", async () => {
    const { sql } = await server.create();
    const before = await readCatalog(sql);
    const broken = bundle.replace(
      "create view public.credit_journal",
      "create view public.credit_ledger",
    );
    await expect(sql.unsafe(broken)).rejects.toThrow(/already exists/);
    expect(await readCatalog(sql)).toEqual(before);
  });

  test("is written by npm run bundle", async () => {
    const printed = execFileSync(process.execPath, [
      "scripts/run.mjs",
      "bundle",
      "--out",
      "-",
    ], { encoding: "utf8", maxBuffer: 2 ** 25 });
    expect(printed).toBe(
      `${bundle}begin;\ncommit;\nselect from public.apply_schedule();\n`,
    );
    expect(printed).not.toMatch(/^\\/m);
    expect(await readFile(".gitignore", "utf8")).toContain("dist/");
  });
});
