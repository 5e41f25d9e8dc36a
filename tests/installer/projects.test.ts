import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { supabaseCli } from "../../scripts/stack/migrate.ts";
import { linkPackages, serveFunctions } from "../support/app_functions.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "../support/databases.ts";
import { expectRefusal } from "../support/expect_refusal.ts";
import { userHeaders } from "../support/http.ts";
import {
  type AppFolder,
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";
import { createUser } from "../support/user.ts";

let server: DatabaseServer;
let installer: PackedInstaller;
beforeAll(async () => {
  server = await startDatabaseServer();
  installer = await packTheInstaller();
});
afterAll(async () => {
  await server.stop();
  await installer.remove();
});

async function push({ folder }: AppFolder, url: string): Promise<void> {
  const { status, stdout, stderr } = await supabaseCli(
    ["db", "push", `--remote=${url}`, "--yes"],
    folder,
  );
  expect(status, stdout + stderr).toBe(0);
}

const HELLO = `Deno.serve(() => new Response("hello"));\n`;

/** A project that is lived in: its last migration is later than now, its config.toml has comments. */
const LIVED_IN = {
  "supabase/config.toml": `project_id = "my-app"   # as in the dashboard

[db]
# The hosted project has the same.
major_version = 15

[functions.hello]   # says hello
verify_jwt = true
# import_map = "./import_map.json"

[auth]
site_url = "https://my-app.example" # not localhost

# The end.`,
  "supabase/functions/hello/index.ts": HELLO,
  "supabase/migrations/20260301120000_pictures.sql":
    "create table public.pictures (id bigint primary key);\n",
  "supabase/migrations/29991231235959_frames.sql":
    "create table public.frames (id bigint primary key);\n",
  ".env.example": "# Mine.\nOPENAI_API_KEY=sk-mine\n",
};

test("a project with later migrations, functions and comments of its own gets ours behind them", async () => {
  const app = await installer.makeApp(LIVED_IN);
  const { url, sql } = await server.create();
  await push(app, url);
  const run = await app.run("init", "--yes");
  expect(run.code, run.text).toBe(0);
  const files = await app.files();
  expect(Object.keys(files)).toEqual(expect.arrayContaining([
    "supabase/migrations/30000101000000_atomic_credits.sql",
    "supabase/migrations/30000101000001_atomic_credits_schedule.sql",
  ]));
  for (const [path, content] of Object.entries(LIVED_IN)) {
    expect(files[path]!.startsWith(content), path).toBe(true);
  }
  const variables = files[".env.example"]!.match(/^OPENAI_API_KEY=/gm);
  expect(variables).toHaveLength(1);
  await push(app, url);
  expect(await sql`select * from public.verify_deployment() where not ok`)
    .toEqual([]);
});

describe("a project with names in the way", () => {
  const IN_THE_WAY = {
    ...EMPTY,
    "supabase/functions/openai/index.ts": HELLO,
    "supabase/functions/checkout/index.ts": HELLO,
  };

  test("is told which functions they are, and of the prefix", async () => {
    await expectRefusal(
      await installer.makeApp(IN_THE_WAY),
      ["init", "--yes"],
      /uses: checkout, openai\.[^]*npx atomic-credits init --prefix credits-/,
    );
  });

  test("is told of a block in config.toml alone, too", async () => {
    const config = `${
      EMPTY["supabase/config.toml"]
    }\n[functions.jobs]\nverify_jwt = true\n`;
    await expectRefusal(
      await installer.makeApp({ "supabase/config.toml": config }),
      ["init", "--yes"],
      /uses: jobs\./,
    );
  });

  test("works with a prefix: its functions are served beside ours", async () => {
    const app = await installer.makeApp(IN_THE_WAY);
    const run = await app.run("init", "--yes", "--prefix", "credits-");
    expect(run.code, run.text).toBe(0);
    expect(run.text).toContain("functions/v1/credits-'");
    expect(await app.read("supabase/functions/openai/index.ts")).toBe(HELLO);
    expect(await app.read("supabase/config.toml"))
      .toContain("[functions.credits-openai]");
    expect(await app.run("doctor")).toMatchObject({ code: 0 });

    await app.delete("supabase/functions/openai");
    await app.delete("supabase/functions/checkout");
    await linkPackages(app.folder);
    const { url, stop } = await serveFunctions(app.folder);
    try {
      const user = await createUser({ credits: 5_000 });
      const answer = await fetch(`${url}/credits-generate`, {
        method: "POST",
        headers: { ...userHeaders(user), "content-type": "application/json" },
        body: JSON.stringify({ prompt: "a cat", width: 64, height: 64 }),
      });
      expect([answer.status, await answer.json()])
        .toMatchObject([200, { cost: 500 }]);
    } finally {
      await stop();
    }
  });

  test("keeps its prefix", async () => {
    const app = await installer.makeApp(IN_THE_WAY);
    await app.run("init", "--yes", "--prefix", "credits-");
    expect(await app.run("init", "--yes")).toMatchObject({
      code: 0,
      text: expect.stringContaining("nothing to do"),
    });
    await expectRefusal(
      app,
      ["upgrade", "--yes", "--prefix", "ledger-"],
      /installed with the prefix credits-/,
    );
  });

  test.each(["Credits-", "credits", "../x-", "-"])(
    "is told that the prefix %s will not do",
    async (prefix) => {
      const app = await installer.makeApp(IN_THE_WAY);
      await expectRefusal(
        app,
        ["init", "--yes", `--prefix=${prefix}`],
        /will not do\.[^]*--prefix credits-/,
      );
    },
  );

  test("is told which tables, types and functions of SQL they are", async () => {
    const app = await installer.makeApp({
      ...EMPTY,
      "supabase/migrations/20260301120000_alerts.sql": `
        create table if not exists public.credit_alerts (id int);
        CREATE TYPE "generation_job_status" AS ENUM ('new');
        create or replace function public.grant_credits(text) returns text language sql as 'select $1';`,
      "supabase/migrations/20260302120000_credits.sql":
        "create schema if not exists credits;",
    });
    await expectRefusal(
      app,
      ["init", "--yes"],
      /credit_alerts \(supabase\/migrations\/20260301120000_alerts\.sql\)\n {2}generation_job_status[^]*grant_credits[^]*schema credits \(supabase\/migrations\/20260302/,
    );
  });

  test("works where such a name is free again, was never taken, or is another schema's", async () => {
    const app = await installer.makeApp({
      ...EMPTY,
      "supabase/migrations/20260301120000_alerts.sql": `
        create table public.credit_alerts (id int);
        create table public.credit_ledger (id int);
        create table mine.credit_plans (id int);
        -- create table public.generation_models (id int);`,
      "supabase/migrations/20260302120000_away.sql": `
        drop table if exists public.credit_alerts;
        alter table public.credit_ledger rename to movements;`,
    });
    expect(await app.run("init", "--yes")).toMatchObject({ code: 0 });
  });
});

test("a project with a ledger of its own is told how to take it over", async () => {
  const app = await installer.makeApp({
    ...EMPTY,
    "supabase/migrations/20260301120000_ledger.sql":
      "create table public.credit_ledger (id bigint, user_id uuid, delta int);",
  });
  await expectRefusal(
    app,
    ["init", "--yes"],
    /credit_ledger of its own \(supabase\/migrations\/20260301120000_ledger\.sql\)[^]*npm run adopt/,
  );
});

test("a folder without a Supabase project is told how to make one", async () => {
  await expectRefusal(
    await installer.makeApp({}),
    ["init", "--yes"],
    /no supabase\/config\.toml[^]*npx supabase init/,
  );
});

test("a Postgres that is too old is named", async () => {
  const config = 'project_id = "x"\n[db]\nmajor_version = 14\n';
  await expectRefusal(
    await installer.makeApp({ "supabase/config.toml": config }),
    ["init", "--yes"],
    /Postgres is 14[^]*15 or newer/,
  );
});

test.each([
  ["project_id = ", /cannot be read/],
  [
    'project_id = "x"\nfunctions = { hello = { verify_jwt = true } }\n',
    /as a block \[functions\.<name>\]/,
  ],
])(
  "a config.toml that nothing can be added to stays: %j",
  async (config, said) => {
    await expectRefusal(
      await installer.makeApp({ "supabase/config.toml": config }),
      ["init", "--yes"],
      said,
    );
  },
);
