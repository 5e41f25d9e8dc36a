import { type Check, check } from "./check.ts";
import { endTrial, type Owner } from "./clean_up.ts";
import { checkHttp } from "./http_checks.ts";
import type { Project } from "./project.ts";
import { beginTrial, nameTrial } from "./trial.ts";

/** How a trial is made. */
export interface TrialOptions {
  /** Makes a picture even where that costs money at a provider. */
  readonly generate: boolean;
  /** Removes what no key may remove. */
  readonly owner?: Owner;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** Uses the functions as a throw-away user. Adds to `checks` one by one, so that none is lost when a later one cannot be made. */
export async function checkFunctions(
  project: Project,
  checks: Check[],
  { generate, owner, signal }: TrialOptions,
): Promise<void> {
  const traces = nameTrial();
  try {
    const trial = await beginTrial(project, traces, generate, signal);
    await checkHttp(project, trial, checks, signal);
  } catch (error) {
    if (error !== signal.reason) checks.push(broken(error as Error));
  }
  if (traces.begun) {
    checks.push(await endTrial(project, traces, owner));
  }
}

/** What could not even be tried. */
function broken(error: Error): Check {
  const remedy = "Fix the failed checks above first; then check URL and keys.";
  return check("the functions can be checked", false, error.message, remedy);
}

/** What a signal leaves open. */
export function interrupted({ message }: Error): Check {
  const found =
    `${message} came first: the checks that are not here were not made`;
  return check("every check was made", false, found, "Run it to its end.");
}
