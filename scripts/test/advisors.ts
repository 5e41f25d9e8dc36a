import postgres from "postgres";
import { supabaseCli } from "../stack/migrate.ts";
import { executeScript } from "./prepare.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/** What the CLI's JSON says about one finding. */
interface Finding {
  readonly name: string;
  readonly level: string;
  readonly detail: string;
  readonly remediation: string;
}

const CANARY = "advisors_canary";
/** A view that runs as its owner, with a name like those that may. */
const VIEW_CANARY = "operator_advisors_canary";

/**
 * `supabase db advisors --fail-on warn` must report nothing but the views of
 * operators, which run as their owner (credits.operator_views lists them). A
 * table without row level security and such a view are put up first, to prove
 * that the advisors see this database's API schemas at all; without
 * `pgrst.db_schemas` they report nothing at all.
 */
export async function checkAdvisors(
  projectFolder: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  const views = await operatorViews(databaseUrl);
  const unexpected = async () =>
    (await readFindings(projectFolder, databaseUrl))
      .filter((finding) => !isOperatorView(finding, views));
  const blind = await withCanaries(databaseUrl, async () => {
    const details = (await unexpected()).map(({ detail }) => detail).join();
    return [CANARY, VIEW_CANARY].filter((name) => !details.includes(name));
  });
  if (blind.length > 0) {
    const report = `supabase db advisors overlooked ${blind.join()}: ` +
      "is pgrst.db_schemas set on the database?";
    return singleCheck(false, report);
  }
  const findings = await unexpected();
  return singleCheck(findings.length === 0, describe(findings));
}

/** The views that may run as their owner: each asks whether its reader is an operator. */
async function operatorViews(databaseUrl: string): Promise<string[]> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    const rows = await sql<{ name: string }[]>`
      select o.name from credits.operator_views() as o (name)`;
    return rows.map(({ name }) => name);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function isOperatorView(
  { name, detail }: Finding,
  views: readonly string[],
): boolean {
  return name === "security_definer_view" &&
    views.some((view) => detail.includes(`\`public.${view}\``));
}

async function withCanaries<T>(
  databaseUrl: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    await executeScript(
      databaseUrl,
      `create table public.${CANARY} (id bigint primary key);
       create view public.${VIEW_CANARY} as select id from public.${CANARY};
       grant select on public.${CANARY}, public.${VIEW_CANARY} to anon;`,
    );
    return await action();
  } finally {
    await executeScript(
      databaseUrl,
      `drop table if exists public.${CANARY} cascade`,
    );
  }
}

async function readFindings(
  projectFolder: string,
  databaseUrl: string,
): Promise<Finding[]> {
  const result = await supabaseCli([
    "db",
    "advisors",
    `--remote=${databaseUrl}`,
    "--level",
    "warn",
    "--fail-on",
    "warn",
    "--output-format",
    "json",
  ], projectFolder);
  const answer = parseJson(result.stdout);
  const clean = result.status === 0;
  const findings = answer?.results ?? [];
  if (!answer?.results || clean !== (findings.length === 0)) {
    throw new Error(`supabase db advisors did not work:\n${result.stderr}`);
  }
  return findings;
}

function parseJson(text: string): { results?: Finding[] } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describe(findings: readonly Finding[]): string {
  return findings
    .map(({ level, name, detail, remediation }) =>
      `${level} ${name}: ${detail}\n  ${remediation}`
    )
    .join("\n");
}
