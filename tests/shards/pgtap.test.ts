import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../scripts/test/command.ts";
import { readTap } from "../../scripts/test/tap.ts";
import { describe, expect, test } from "vitest";
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
    /\b(?:run_task|archive_ledger|reconcile_credit_ledger|verify_deployment|repair_deployment|operator_\w+)\b/,
    "calls what is each database's own",
  ],
];

/** Files that the reasons above let through. */
const LEFT_OUT: Readonly<Record<string, string>> = {};

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

describe.skipIf(!canRoute)("pgTAP through the router", () => {
  const shared = useFleet();

  test.each(FILES.filter((file) => !reasonOf(file)))("%s", async (file) => {
    await shared.router`create extension if not exists pgtap schema extensions`;
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
