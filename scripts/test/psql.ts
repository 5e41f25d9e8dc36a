import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBundleFile } from "../deploy/bundle.ts";
import postgres from "postgres";
import { runCommand } from "./command.ts";
import { runsByItself } from "./cron.ts";
import { onDebianServer } from "./debian_server.ts";
import { executeScript } from "./prepare.ts";
import { singleCheck, type StepOutcome } from "./step.ts";
import { HAS_BEGUN } from "../verify/first_run.ts";

// Of the last bundle pg_cron has run nothing yet; of the first it must have.
const NOT_OK = "select format('not ok: %s (%s)', check_name, detail) " +
  `from public.verify_deployment() where not ok and check_name <> '${HAS_BEGUN}'`;
const LEFT_OVER = "select format('left: %s', oid::regclass) from pg_class " +
  "where relnamespace = 'public'::regnamespace";

/**
 * What an adopter does with psql, on Debian's Postgres: the bundle twice, the
 * rollback twice, and the bundle again must all work.
 */
export function checkPsql(projectFolder: string): Promise<StepOutcome> {
  return onDebianServer(async (url) => {
    const folder = await mkdtemp(join(tmpdir(), "atomic-credits-psql-"));
    const bundle = join(folder, "bundle.sql");
    const rollback = join(projectFolder, "scripts", "rollback.sql");
    try {
      await writeFile(bundle, await makeBundleFile(projectFolder));
      const run = (...args: string[]) => psql(projectFolder, url, args);
      // As the SQL editor sends it: as one message.
      await executeScript(url, await makeBundleFile(projectFolder));
      const reports = [
        ...await scheduleRuns(url),
        await run("-f", bundle, "-c", NOT_OK),
        await run("-f", rollback, "-f", rollback, "-c", LEFT_OVER),
        await run("-f", bundle, "-c", NOT_OK),
      ];
      const report = reports.join("").trim();
      return singleCheck(report === "", report);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

async function scheduleRuns(url: string): Promise<string[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await runsByItself(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Runs psql and returns what it says: nothing when all went well. */
export async function psql(
  cwd: string,
  url: string,
  args: readonly string[],
): Promise<string> {
  const flags = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"];
  const { output } = await runCommand(
    "psql",
    [...flags, "--set", "ON_ERROR_STOP=1", url, ...args],
    { cwd, env: { PGOPTIONS: "-c client_min_messages=warning" } },
  );
  return output;
}
