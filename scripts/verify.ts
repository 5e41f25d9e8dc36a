import type { Terminal } from "./terminal.ts";
import { type Check, check, toText } from "./verify/check.ts";
import { endTrial } from "./verify/clean_up.ts";
import { checkDatabase } from "./verify/database_checks.ts";
import { untilBegun } from "./verify/first_run.ts";
import { checkHttp } from "./verify/http_checks.ts";
import { HELP, type Options, readOptions } from "./verify/options.ts";
import { Project } from "./verify/project.ts";
import { beginTrial, nameTrial } from "./verify/trial.ts";

/** An interruption ends the checks; what they added is removed all the same, unless it comes again. */
function interruption({ console, interruption }: Terminal): AbortSignal {
  const signal = interruption();
  signal.addEventListener("abort", () => {
    const { message } = signal.reason as Error;
    console.error(`${message}: removing what the checks added …`);
  });
  return signal;
}

/** Adds to `checks` one by one, so that none is lost when a later one cannot be made. */
async function checkFunctions(
  project: Project,
  options: Options,
  checks: Check[],
  signal: AbortSignal,
): Promise<void> {
  const traces = nameTrial();
  try {
    const trial = await beginTrial(project, traces, options, signal);
    await checkHttp(project, trial, checks, signal);
  } catch (error) {
    if (error !== signal.reason) checks.push(broken(error as Error));
  }
  if (traces.begun) {
    checks.push(await endTrial(project, traces, options.cleanUpUrl));
  }
}

/** What could not even be tried. */
function broken(error: Error): Check {
  const remedy = "Fix the failed checks above first; then check URL and keys.";
  return check("the functions can be checked", false, error.message, remedy);
}

/** What a signal leaves open. */
function interrupted({ message }: Error): Check {
  const found =
    `${message} came first: the checks that are not here were not made`;
  return check("every check was made", false, found, "Run it to its end.");
}

/** Runs the checklist. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const options = readOptions(terminal);
  if (!options) {
    console.log(HELP);
    return 0;
  }
  const signal = interruption(terminal);
  const progress = (line: string) => options.json || console.error(line);
  const project = new Project(options);
  progress(`Checking the database of ${options.url} …`);
  const read = () => checkDatabase(project, options);
  const first = await read();
  progress("Checking the functions as a throw-away user …");
  const overHttp: Check[] = [];
  await checkFunctions(project, options, overHttp, signal);
  const database = await untilBegun(first, { read, progress, signal });
  const checks = [...database, ...overHttp];
  if (signal.aborted) checks.push(interrupted(signal.reason));
  console.log(options.json ? JSON.stringify(checks, null, 2) : toText(checks));
  return checks.every(({ ok }) => ok) ? 0 : 1;
}
