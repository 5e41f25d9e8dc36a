import { readFileSync } from "node:fs";
import type { Row } from "postgres";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Check } from "../scripts/verify/check.ts";
import { sql } from "./support/database.ts";
import { addModel } from "./support/models.ts";
import { stack } from "./support/stack.ts";
import {
  endWhatOthersLeft,
  NONE,
  startOfTrials,
  traces,
  type Verification,
  verify,
  withGateway,
} from "./support/verification.ts";

/** What must be seen to after a deployment, in SQL and over HTTP. */
const CHECKLIST = [
  "tables, views, functions and types exist",
  "credit_ledger.delta is not null",
  "the ledger's rules are in place and loud",
  "no function is executable by PUBLIC or anon",
  "users write no table",
  "every task has run when it was due",
  "generate: 429 beyond the plan's limit",
  "generate: 400 for bad dimensions",
  "generate: 400 for an unknown model",
  "generate: 402 without enough credits",
  "jobs: a canceled job is refunded",
  "openai: 200 with the models",
  "openai: 200 with a text",
  "every credit is accounted for",
  "generations succeed",
];

/** The functions that a text has deployed, by name. */
function deployedNames(text: string): string[] | undefined {
  const [, names] =
    /supabase functions deploy ((?:[a-z-]+(?: \\\n +| ))+[a-z-]+)/.exec(text) ??
      [];
  return names?.split(/[\s\\]+/).sort();
}

async function failedChecks(): Promise<string[]> {
  const { code, output } = await verify("--json");
  const failed = (JSON.parse(output) as Check[]).filter(({ ok }) => !ok);
  expect(code).toBe(failed.length > 0 ? 1 : 0);
  for (const { remedy } of failed) expect(remedy).toBeTruthy();
  return failed.map(({ check_name }) => check_name);
}

describe("npm run verify", () => {
  let begun: Date;
  beforeAll(async () => {
    begun = await startOfTrials();
    await endWhatOthersLeft();
  });

  test("finds a sound deployment in order, and leaves nothing behind", async () => {
    const { code, output } = await verify();
    expect(output).toMatch(/\n\d+ ok, 0 not ok\n$/);
    expect(code).toBe(0);
    expect(await traces(begun)).toEqual(NONE);
    // It has gone through the whole checklist, and says something of each.
    const lines = output.split("\n\n")[0]!.split("\n");
    const names = lines.map((line) => /^ok {6}(\S.*?) {2,}\S/.exec(line)?.[1]);
    expect(names).toEqual(expect.arrayContaining(CHECKLIST));
    expect(names).not.toContain(undefined);
  });

  test("of a shard says that the functions are left out, and signs nobody up", async () => {
    await sql`select credits.become_shard('s1', array(select generate_series(0, 15)))`;
    try {
      const { code, output } = await verify();
      expect(output).toMatch(
        /^ok +the shard has its own accounts alone +shard s1, /m,
      );
      expect(output).toMatch(
        /^ok +the functions are checked +left out: this database is a shard/m,
      );
      expect(output).not.toMatch(/generate: /);
      expect(code).toBe(0);
      expect(await traces(begun)).toEqual(NONE);
    } finally {
      await sql`select credits.cease_shard()`;
    }
  });

  test("asks for no picture of the model that is there to fail", async () => {
    await addModel(sql, "test-to-fail", { image: 1 }, {
      provider: "placeholder",
      provider_model: "placeholder-failing",
    });
    try {
      const { output } = await verify();
      expect(output).toMatch(/^ok +generate: 200 with a picture/m);
    } finally {
      await sql`update public.generation_models set enabled = false where name = 'test-to-fail'`;
    }
  });

  test("with --generate makes a picture by a provider that answers at once", async () => {
    const free = await sql`
      update public.generation_models set enabled = false
      where enabled and provider = 'placeholder' returning name`;
    const newest = [{ name: "test-at-once" }, { name: "test-later" }];
    await addModel(sql, "test-at-once", { image: 7 }, {
      provider: "openai",
      provider_model: "gpt-image-1",
    }, new Date(Date.now() - 1000));
    await addModel(sql, "test-later", { image: 9 }, {
      provider: "replicate",
      provider_model: "acme/painter",
    }, new Date());
    const names = (rows: readonly Row[]) => sql(rows.map(({ name }) => name));
    try {
      const { output } = await verify("--generate");
      expect(output).toMatch(
        /^ok +generate: 200 with a picture +200 succeeded, balance changed by -7, shown by its URL, then deleted$/m,
      );
    } finally {
      await sql`delete from public.generation_models where name in ${
        names(newest)
      }`;
      await sql`
        update public.generation_models set enabled = true where name in ${
        names(free)
      }`;
    }
  });

  test("names every function where they are not deployed", async () => {
    const { output } = await withGateway(
      (path) => path.startsWith("/functions/v1/") ? { status: 404 } : undefined,
      (url) => verify("--url", url),
    );
    const told = deployedNames(output);
    expect(told).toContain("provider-webhook");
    const page = readFileSync("docs/deploy.md", "utf8");
    expect(told).toEqual(deployedNames(page));
    expect(await traces(begun)).toEqual(NONE);
  });

  test("finds functions that answer everything alike, and leaves nothing behind", async () => {
    const { code, output } = await withGateway(
      (path) =>
        path.startsWith("/functions/v1/generate") ? { status: 200 } : undefined,
      (url) => verify("--json", "--url", url),
    );
    const failed = (JSON.parse(output) as Check[]).filter(({ ok }) => !ok);
    expect(failed.map(({ check_name }) => check_name).sort()).toEqual([
      "every answer carries x-request-id",
      "generate: 200 with a picture",
      "generate: 400 for an unknown model",
      "generate: 400 for bad dimensions",
      "generate: 401 without a token",
      "generate: 402 without enough credits",
      "generate: 429 beyond the plan's limit",
      "the functions take the secret key",
    ]);
    expect(code).toBe(1);
    expect(await traces(begun)).toEqual(NONE);
  });

  test("finds an openai that answers everything alike, or sells a text for nothing", async () => {
    const failedWith = async (body: unknown) => {
      const { output } = await withGateway(
        (path) =>
          path.startsWith("/functions/v1/openai")
            ? { status: 200, body }
            : undefined,
        (url) => verify("--json", "--url", url),
      );
      const failed = (JSON.parse(output) as Check[]).filter(({ ok }) => !ok);
      return failed.map(({ check_name }) => check_name).sort();
    };
    const all = [
      // The gateway hands on no headers.
      "every answer carries x-request-id",
      "generate: 429 beyond the plan's limit",
      "openai: 200 with a text",
      "openai: 200 with the models",
    ];
    expect(await failedWith({})).toEqual(all);
    const message = { content: "the lamp" };
    expect(await failedWith({ choices: [{ message }], usage: { cost: 0 } }))
      .toEqual(all);
    expect(await traces(begun)).toEqual(NONE);
  });

  test("says what a stack needs that does not answer", async () => {
    const { code, output } = await verify("--url", "http://127.0.0.1:9");
    expect(code).toBe(1);
    expect(output).toBe("");
  });

  test("asks no provider for money whose model is another's by now", async () => {
    await sql`select public.set_model_price('standard-image',
      p_settings => '{"provider": "openai", "provider_model": "gpt-image-1"}')`;
    // No other is free either, also of those that were put on sale here.
    const free = await sql`
      update public.generation_models set enabled = false
      where enabled and provider = 'placeholder' and name <> 'standard-image' returning name`;
    const { code, output } = await verify().finally(async () => {
      await sql`update public.generation_models set enabled = true where name = any (${
        free.map(({ name }) => name)
      })`;
      await sql`delete from public.generation_models where name = 'standard-image' and provider = 'openai'`;
    });
    expect(output).toMatch(/ok +generate: 200 with a picture +skipped/);
    expect(output).toMatch(/ok +openai: 200 with a text +skipped/);
    expect(code).toBe(0);
    expect(await traces(begun)).toEqual(NONE);
  });

  test("gives the SQL half over a connection as long as it takes", async () => {
    const url = new URL(stack.databaseUrl);
    url.searchParams.set("statement_timeout", "300ms");
    url.searchParams.set("application_name", "a hurried verify");
    let verified: Promise<Verification> | undefined;
    await sql.begin(async (holder) => {
      await holder`lock table public.credit_alert_rules in access exclusive mode`;
      verified = verify("--db-url", url.href);
      const waits = () =>
        sql`select from pg_stat_activity where application_name = 'a hurried verify' and wait_event_type = 'Lock'`;
      await vi.waitFor(async () => expect(await waits()).toHaveLength(1), {
        timeout: 10_000,
        interval: 10,
      });
      await holder`select pg_sleep(0.5)`;
    });
    const { output } = await verified!;
    expect(output).toMatch(/^ok +every credit is accounted for/m);
    expect(output).not.toContain("statement timeout");
    expect(await traces(begun)).toMatchObject({ users: 0, models: 0 });
  });

  describe("of a broken deployment", () => {
    let repair: string;
    afterEach(async () => {
      await sql.unsafe(repair);
    });

    test("finds a dropped rule", async () => {
      const [rule] =
        await sql`select definition from pg_rules where rulename = 'credit_ledger_no_update'`;
      repair = rule!.definition;
      await sql`drop rule credit_ledger_no_update on public.credit_ledger`;
      expect(await failedChecks()).toEqual([
        "the ledger's rules are in place and loud",
      ]);
    });

    test("finds row level security turned off", async () => {
      repair = "alter table public.generation_jobs enable row level security";
      await sql`alter table public.generation_jobs disable row level security`;
      expect(await failedChecks()).toEqual([
        "every table has row level security",
      ]);
    });

    test("finds a grant to anon", async () => {
      repair = "revoke select on public.credit_ledger from anon";
      await sql`grant select on public.credit_ledger to anon`;
      expect(await failedChecks()).toEqual([
        "privileges are the delivered ones",
        "anon reads the price book and nothing else",
        "nobody reads the ledger without signing in",
      ]);
    });
  });
});
