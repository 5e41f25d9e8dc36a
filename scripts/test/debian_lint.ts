import { pushMigrations } from "../stack/migrate.ts";
import { onDebianServer } from "./debian_server.ts";
import { checkLint } from "./lint.ts";
import type { StepOutcome } from "./step.ts";

/**
 * Lints on a throw-away server of Debian's newest Postgres, which has
 * plpgsql_check: the packages postgresql and postgresql-<version>-plpgsql-check.
 */
export function lintOnDebian(projectFolder: string): Promise<StepOutcome> {
  return onDebianServer(async (url) => {
    await pushMigrations(projectFolder, url);
    const outcome = await checkLint(projectFolder, url);
    return outcome.passed + outcome.failed > 0 ? outcome : missingExtension();
  });
}

function missingExtension(): StepOutcome {
  const report = "Debian's Postgres has no plpgsql_check: " +
    "apt-get install postgresql-<version>-plpgsql-check";
  return { passed: 0, failed: 1, report };
}
