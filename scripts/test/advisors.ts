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

/**
 * `supabase db advisors --fail-on warn` must report nothing. A table without
 * row level security is put up first, to prove that the advisors see this
 * database's API schemas at all; without `pgrst.db_schemas` they report
 * nothing at all.
 */
export async function checkAdvisors(
  projectFolder: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  const blind = await withCanary(databaseUrl, async () => {
    const findings = await readFindings(projectFolder, databaseUrl);
    return !findings.some(({ detail }) => detail.includes(CANARY));
  });
  if (blind) {
    const report = "supabase db advisors overlooked a table without row " +
      "level security: is pgrst.db_schemas set on the database?";
    return singleCheck(false, report);
  }
  const findings = await readFindings(projectFolder, databaseUrl);
  return singleCheck(findings.length === 0, describe(findings));
}

async function withCanary<T>(
  databaseUrl: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    await executeScript(
      databaseUrl,
      `create table public.${CANARY} (id bigint primary key);
       grant select on public.${CANARY} to anon;`,
    );
    return await action();
  } finally {
    await executeScript(databaseUrl, `drop table if exists public.${CANARY}`);
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
