import { type Check, check, toText } from "./verify/check.ts";
import { endTrial } from "./verify/clean_up.ts";
import { checkDatabase } from "./verify/database_checks.ts";
import { checkHttp } from "./verify/http_checks.ts";
import { HELP, type Options, readOptions } from "./verify/options.ts";
import { Project } from "./verify/project.ts";
import { beginTrial } from "./verify/trial.ts";

/** A signal ends the checks; what they added is removed all the same. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => controller.abort());
  }
  return controller.signal;
}

async function checkFunctions(project: Project, options: Options) {
  const trial = await beginTrial(project, options);
  const checks: Check[] = [];
  try {
    checks.push(...await checkHttp(project, trial, interruption()));
  } finally {
    checks.push(await endTrial(project, trial, options.cleanUpUrl));
  }
  return checks;
}

/** What could not even be tried, as a check that is not ok. */
function broken(error: Error): Check[] {
  const remedy = "Mend what is not ok above first; then check URL and keys.";
  return [check("the functions can be checked", false, error.message, remedy)];
}

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return console.log(HELP);
  const progress = (line: string) => options.json || console.error(line);
  const project = new Project(options);
  progress(`Checking the database of ${options.url} …`);
  const checks = await checkDatabase(project, options);
  progress("Checking the functions as a throw-away user …");
  checks.push(...await checkFunctions(project, options).catch(broken));
  console.log(options.json ? JSON.stringify(checks, null, 2) : toText(checks));
  process.exitCode = checks.every(({ ok }) => ok) ? 0 : 1;
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
