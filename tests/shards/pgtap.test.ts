import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../scripts/test/command.ts";
import { readTap } from "../../scripts/test/tap.ts";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import postgres from "postgres";
import { TERMS } from "../../scripts/shards/merges.ts";
import { canRoute, useFleet } from "./fleet.ts";

const FOLDER = "supabase/tests";

/**
 * Why a file of pgTAP says nothing of the router, by its text; the first that holds. The router passes calls on, and
 * each is a transaction of its shard: what a file does to tables or objects itself would be done on the router alone.
 */
const REASONS: readonly [RegExp, string][] = [
  [
    /^\s*(?:alter|drop|grant|revoke|comment|create (?!temp|function pg_temp))|(?:lives_ok|throws_ok)\(\S*\s*(?:alter|create|drop)/im,
    "makes or changes objects",
  ],
  [
    /\b(?:insert into|delete from|truncate) (?!temp)|\bupdate (?:public\.)?\w+ (?:as \w+ )?set\b|^copy /im,
    "writes to tables itself",
  ],
  [/\bcredits\.\w+/, "looks into the private schema of one database"],
  [
    /\bset (?:local )?(?:role|session)|set_config|request\.jwt/i,
    "takes a role for a transaction",
  ],
  [
    /\bpg_(?:catalog|class|proc|policies|indexes|constraint|get_)|information_schema|has_\w+_privilege/,
    "reads the catalog of one database",
  ],
  [/\bnow\(\)|clock_timestamp/, "goes by the clock of one transaction"],
  [
    /\b(?:set_model_price|set_product|import_model_price)\(/,
    "makes prices, which come to the shards a moment later",
  ],
  [
    /\b(?:run_task|archive_ledger|reconcile_credit_ledger|verify_deployment|repair_deployment|operator_\w+)\b/,
    "calls what is each database's own",
  ],
];

/** Files that the reasons above let through. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  ...whyNot(
    "is about Realtime, which stays with the shards",
    "realtime/publishes_jobs",
  ),
  ...whyNot(
    "its senders live on several shards, and a batch is all or nothing",
    "transfer_credits_batch/moves_all_or_nothing",
    "transfer_credits_batch/refuses_what_is_no_batch",
  ),
  ...whyNot(
    "takes several rows for one: a hand-out asks each shard",
    "transfer_finish/ends_once",
  ),
};

function whyNot(reason: string, ...files: readonly string[]) {
  return Object.fromEntries(files.map((file) => [`${file}.test.sql`, reason]));
}

function textOf(file: string): string {
  return readFileSync(join(FOLDER, file), "utf8");
}

function reasonOf(file: string): string | undefined {
  const text = textOf(file);
  return LEFT_OUT[file] ?? REASONS.find(([sign]) => sign.test(text))?.[1];
}

const FILES = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.sql")).sort();

/** The file as statements of their own, about accounts of its own: what it does on the shards stays. */
function onTheRouter(file: string, number: number): string {
  const ids = `${
    (0xabc000 + number).toString(16).padStart(8, "0")
  }-0000-4000-8000-`;
  return textOf(file)
    .replace(/^begin;$/m, "").replace(/^rollback;$/m, "")
    .replaceAll("00000000-0000-4000-8000-", ids);
}

/** What a shard has but prices, plans and rules: each file begins with empty books, as it does on one database. */
const EMPTY = `
do $empty$
declare
  guard record;
begin
  for guard in select tgrelid::regclass as of_table, tgname as name from pg_trigger
    where tgtype & 32 <> 0 and not tgisinternal loop
    execute format('alter table %s disable trigger %I', guard.of_table, guard.name);
  end loop;
  execute (
    select 'truncate ' || string_agg(c.oid::regclass::text, ', ') || ' restart identity cascade'
    from pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname <> all ('{${
  TERMS.map((table) => table.replace("public.", "")).join(",")
}}'));
  truncate credits.external_refs;
  for guard in select tgrelid::regclass as of_table, tgname as name from pg_trigger
    where tgtype & 32 <> 0 and not tgisinternal loop
    execute format('alter table %s enable always trigger %I', guard.of_table, guard.name);
  end loop;
end;
$empty$`;

describe.skipIf(!canRoute)("pgTAP through the router", () => {
  const shared = useFleet({ alone: true });
  const sessions: postgres.Sql[] = [];
  const empty = () => Promise.all(sessions.map((sql) => sql.unsafe(EMPTY)));
  beforeAll(async () => {
    for (const { url } of shared.fleet.shards) {
      sessions.push(postgres(url, { max: 1, onnotice: () => {} }));
    }
    await shared.router`create extension if not exists pgtap schema extensions`;
  });
  beforeEach(empty);
  afterAll(async () => {
    await empty();
    await Promise.all(sessions.map((sql) => sql.end()));
  });

  test.each(FILES.filter((file) => !reasonOf(file)))("%s", async (file) => {
    const { stdout, output } = await runCommand("psql", [
      ...["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"],
      `--dbname=${shared.fleet.router}`,
      `--command=${"set client_min_messages = warning"}`,
      "--file=-",
    ], { cwd: ".", input: onTheRouter(file, FILES.indexOf(file)) });
    const { failures, points } = await readTap(stdout);
    expect(failures, output).toEqual([]);
    expect(points).toBeGreaterThan(0);
  });

  test("leaves out what says nothing of it", async () => {
    const lines = FILES.flatMap((file) => {
      const reason = reasonOf(file);
      return reason ? [`| ${file.replace(".test.sql", "")} | ${reason} |`] : [];
    });
    const text = `# pgTAP files that are not run through the router

${
      FILES.length - lines.length
    } of ${FILES.length} are run (tests/shards/pgtap.test.ts).

| file | why not |
|---|---|
${lines.join("\n")}
`;
    await expect(text).toMatchFileSnapshot(
      "../expected/pgtap_not_on_the_router.md",
    );
  });
});
