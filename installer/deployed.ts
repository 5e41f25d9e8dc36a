import { type Check, check } from "../scripts/verify/check.ts";
import { naming } from "../scripts/verify/deploy.ts";
import { untilBegun } from "../scripts/verify/first_run.ts";
import {
  checkFunctions,
  interrupted,
} from "../scripts/verify/function_checks.ts";
import { type Access, Project } from "../scripts/verify/project.ts";

const TIMEOUT_MS = 65_000;
const VERIFIES = "the database verifies";

/** A deployed project, and what is to be found there. */
export interface Deployed {
  readonly url: string;
  readonly secretKey: string;
  readonly publishableKey?: string;
  readonly functionsPrefix: string;
  /** The functions' names, with the prefix. */
  readonly functions: readonly string[];
  /** Whether a throw-away user may be made, to try the functions as one. */
  readonly trial: boolean;
}

/**
 * Checks the functions and the database of a project, and tries them as a throw-away user would.
 * @param show gets each check as it was made
 */
export async function checkDeployed(
  deployed: Deployed,
  show: (check: Check) => void,
): Promise<Check[]> {
  const { url, functions } = deployed;
  const checks: Check[] = [];
  const add = (check: Check) => {
    checks.push(check);
    show(check);
  };
  for (const name of functions) add(await functionCheck(url, name));
  const signal = interruption();
  const database = await untilBegun(await databaseChecks(deployed), {
    read: () => databaseChecks(deployed),
    progress: console.log,
    signal,
  });
  database.forEach(add);
  const canTry =
    checks.every(({ ok }, index) => ok || index >= functions.length) &&
    !database.some(({ check_name }) => check_name === VERIFIES);
  (await trialChecks(deployed, canTry, signal)).forEach(add);
  if (signal.aborted) add(interrupted(signal.reason));
  return checks;
}

/** Whether a function answers a path that it does not have: ours name the request in a header. */
async function functionCheck(url: string, name: string): Promise<Check> {
  const title = `function ${name} answers`;
  const remedy = `npx supabase functions deploy ${name}, and read its logs.`;
  try {
    const answer = await fetch(`${url}/functions/v1/${name}/a/b/c/d/doctor`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.body?.cancel();
    const ok = answer.status === 404 && answer.headers.has("x-request-id");
    return check(title, ok, ok ? "yes" : saying(answer), remedy);
  } catch (error) {
    return check(title, false, causeOf(error), remedy);
  }
}

function saying({ status }: Response): string {
  return status === 404 ? "404: it is not deployed" : String(status);
}

async function databaseChecks(
  { url, secretKey: key }: Deployed,
): Promise<Check[]> {
  const failed = (detail: string, remedy: string): Check[] => [
    check(VERIFIES, false, detail, remedy),
  ];
  try {
    const answer = await fetch(`${url}/rest/v1/rpc/verify_deployment`, {
      method: "POST",
      headers: {
        apikey: key,
        // Keys of the older kind are tokens themselves.
        ...(!key.startsWith("sb_") && { authorization: `Bearer ${key}` }),
        "content-type": "application/json",
      },
      body: "{}",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = await answer.json();
    if (answer.ok) return body;
    return answer.status === 404
      ? failed(
        "the migration is not applied",
        "npx supabase db push --remote",
      )
      : failed(
        `${answer.status} ${body?.message ?? ""}`.trim(),
        "Is --secret-key the project's secret key (dashboard, Settings, API Keys)?",
      );
  } catch (error) {
    return failed(causeOf(error), "Check --url.");
  }
}

/** Signs up, charges, generates, refunds, and removes the user again; nothing that could cost money. */
async function trialChecks(
  { trial, publishableKey, functions, ...access }: Deployed,
  canTry: boolean,
  signal: AbortSignal,
): Promise<Check[]> {
  if (!trial || signal.aborted) return [];
  if (!canTry) {
    console.log(
      "Nothing was tried as a user: first put right what is not ok above.",
    );
    return [];
  }
  if (!publishableKey) {
    console.log(
      "Nothing was tried as a user: that needs --publishable-key sb_publishable_….",
    );
    return [];
  }
  console.log("Trying it as a throw-away user, who is removed afterwards …");
  const project = new Project({ ...access, publishableKey } satisfies Access);
  const checks: Check[] = [];
  await checkFunctions(project, checks, { generate: false, signal });
  return checks.map((check) => naming(functions, check));
}

/** Ends the trial early, which removes all the same what it added; a second one ends the process. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => controller.abort(new Error(signal)));
  }
  return controller.signal;
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message;
}
