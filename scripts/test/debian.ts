import { join } from "node:path";
import { pushMigrations } from "../stack/migrate.ts";
import { onDebianServer } from "./debian_server.ts";
import { checkLint } from "./lint.ts";
import { executeScript } from "./prepare.ts";
import { checkPgProve } from "./pg_prove.ts";
import type { PgtapTotals } from "./pgtap.ts";
import { checkHosted } from "./hosted/check.ts";
import { checkPsql } from "./psql.ts";
import { checkRestore } from "./restore.ts";
import type { Step, StepOutcome } from "./step.ts";

/** A check on Debian's Postgres with the schema applied. */
function migrated(
  projectFolder: string,
  action: (url: string) => Promise<StepOutcome>,
): () => Promise<StepOutcome> {
  return () =>
    onDebianServer(async (url) => {
      await pushMigrations(projectFolder, url);
      return await action(url);
    });
}

/** What only Debian's Postgres can check: another major version, with plpgsql_check, pg_cron and psql. */
export function debianSteps(projectFolder: string): Step[] {
  return [
    {
      name: "supabase db lint",
      run: migrated(projectFolder, (url) => checkLint(projectFolder, url)),
    },
    { name: "psql runs the bundle", run: () => checkPsql(projectFolder) },
    { name: "pg_dump restores", run: () => checkRestore(projectFolder) },
  ];
}

/** As a project is whose schedule has run: what tasks leave must not decide a test. */
const RUN_EVERY_TASK =
  "select run_task(name) from credit_scheduled_tasks order by name";

/** Another runner on another major version must come to the same about the pgTAP files. */
export function pgProveStep(
  projectFolder: string,
  ours: () => PgtapTotals,
): Step {
  const folder = join(projectFolder, "supabase", "tests");
  return {
    name: "pg_prove on Debian's Postgres",
    run: migrated(projectFolder, async (url) => {
      await executeScript(url, RUN_EVERY_TASK);
      return await checkPgProve(url, folder, ours());
    }),
  };
}

/** On a server like a hosted project's; it mostly waits for pg_cron. */
export function hostedStep(projectFolder: string): Step {
  return {
    name: "hosted project",
    run: () => checkHosted(projectFolder, "Debian"),
  };
}
