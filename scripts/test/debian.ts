import { join } from "node:path";
import { pushMigrations } from "../stack/migrate.ts";
import { onDebianServer } from "./debian_server.ts";
import { checkLint } from "./lint.ts";
import { outcomeOf, runPgtap } from "./pgtap.ts";
import { checkHosted } from "./hosted/check.ts";
import { checkPsql } from "./psql.ts";
import { checkRestore } from "./restore.ts";
import type { Step, StepOutcome } from "./step.ts";

/** What only Debian's Postgres can check: another major version, with plpgsql_check, pg_cron and psql. */
export function debianSteps(projectFolder: string): Step[] {
  const migrated = (action: (url: string) => Promise<StepOutcome>) => () =>
    onDebianServer(async (url) => {
      await pushMigrations(projectFolder, url);
      return await action(url);
    });
  return [
    {
      name: "supabase db lint",
      run: migrated((url) => checkLint(projectFolder, url)),
    },
    {
      name: "pgTAP on Debian's Postgres",
      run: migrated(async (url) =>
        outcomeOf(
          await runPgtap(url, join(projectFolder, "supabase", "tests")),
        )
      ),
    },
    { name: "psql runs the bundle", run: () => checkPsql(projectFolder) },
    { name: "pg_dump restores", run: () => checkRestore(projectFolder) },
  ];
}

/** On a server like a hosted project's; it mostly waits for pg_cron. */
export function hostedStep(projectFolder: string): Step {
  return {
    name: "hosted project",
    run: () => checkHosted(projectFolder, "Debian"),
  };
}
