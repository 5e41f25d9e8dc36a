import postgres from "postgres";
import { supabaseCli } from "../stack/migrate.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/**
 * `supabase db lint` must report nothing, warnings included. It works through
 * the extension plpgsql_check, which the embedded server does not have: there
 * the step says that it is skipped. Debian packages it (see `debianSteps`).
 */
export async function checkLint(
  projectFolder: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  if (!(await hasPlpgsqlCheck(databaseUrl))) {
    const note = "skipped: this server has no plpgsql_check " +
      "(.ci/run lints on Debian's Postgres)";
    return { passed: 0, failed: 0, report: "", note };
  }
  const result = await supabaseCli([
    "db",
    "lint",
    `--remote=${databaseUrl}`,
    "--schema",
    "public,credits",
    "--level",
    "warning",
    "--fail-on",
    "warning",
  ], projectFolder);
  return singleCheck(result.status === 0, result.stdout + result.stderr);
}

async function hasPlpgsqlCheck(databaseUrl: string): Promise<boolean> {
  const client = postgres(databaseUrl, { max: 1 });
  try {
    const rows = await client`
      select 1 from pg_available_extensions where name = 'plpgsql_check'
    `;
    return rows.length > 0;
  } finally {
    await client.end({ timeout: 5 });
  }
}
