import { runCommand } from "./command.ts";
import type { PgtapTotals } from "./pgtap.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/**
 * Runs the same files with pg_prove, the reference runner that
 * `supabase test db` uses, and compares: it must come to the same verdict,
 * over the same number of files and of test points.
 */
export async function checkPgProve(
  databaseUrl: string,
  folder: string,
  ours: PgtapTotals,
): Promise<StepOutcome> {
  const result = await runCommand(
    "pg_prove",
    ["--ext", ".pg", "--ext", ".sql", "--recurse", folder],
    { cwd: process.cwd(), env: connectionEnvironment(databaseUrl) },
  );
  const counts = result.output.match(/^Files=(\d+), Tests=(\d+)/m);
  const theirs: PgtapTotals = {
    files: Number(counts?.[1] ?? 0),
    points: Number(counts?.[2] ?? 0),
    ok: result.code === 0,
  };
  const agreed = theirs.files === ours.files &&
    theirs.points === ours.points && theirs.ok === ours.ok;
  const report = `pg_prove: ${JSON.stringify(theirs)}, this runner: ` +
    `${JSON.stringify(ours)}\n${result.output}`;
  const note = `${theirs.files} files, ${theirs.points} tests`;
  return { ...singleCheck(agreed, report), note };
}

function connectionEnvironment(databaseUrl: string): Record<string, string> {
  const url = new URL(databaseUrl);
  return {
    PGHOST: url.hostname,
    PGPORT: url.port,
    PGUSER: decodeURIComponent(url.username),
    PGPASSWORD: decodeURIComponent(url.password),
    PGDATABASE: url.pathname.slice(1),
  };
}
