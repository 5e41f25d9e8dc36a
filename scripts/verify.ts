import { FUNCTION_NAMES } from "./stack/function_names.ts";
import type { Terminal } from "./terminal.ts";
import { type Check, toText } from "./verify/check.ts";
import { checkDatabase } from "./verify/database_checks.ts";
import { untilBegun } from "./verify/first_run.ts";
import { naming } from "./verify/deploy.ts";
import { checkFunctions, interrupted } from "./verify/function_checks.ts";
import { HELP, readOptions } from "./verify/options.ts";
import { ownerAt } from "./verify/owner.ts";
import { Project } from "./verify/project.ts";
import { leftOut } from "./verify/shard.ts";

/** An interruption ends the checks; what they added is removed all the same, unless it comes again. */
function interruption({ console, interruption }: Terminal): AbortSignal {
  const signal = interruption();
  signal.addEventListener("abort", () => {
    const { message } = signal.reason as Error;
    console.error(`${message}: removing what the checks added …`);
  });
  return signal;
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
  const overHttp: Check[] = [];
  const { generate, cleanUpUrl } = options;
  const owner = cleanUpUrl === undefined ? undefined : ownerAt(cleanUpUrl);
  const omission = leftOut(first);
  if (omission) {
    overHttp.push(omission);
  } else {
    progress("Checking the functions as a throw-away user …");
    await checkFunctions(project, overHttp, { generate, owner, signal });
  }
  const database = await untilBegun(first, { read, progress, signal });
  const checks = [
    ...database,
    ...overHttp.map((check) => naming(FUNCTION_NAMES, check)),
  ];
  if (signal.aborted) checks.push(interrupted(signal.reason));
  console.log(options.json ? JSON.stringify(checks, null, 2) : toText(checks));
  return checks.every(({ ok }) => ok) ? 0 : 1;
}
