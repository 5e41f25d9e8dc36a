import { type Check, check, fine } from "./check.ts";
import type { Project } from "./project.ts";
import type { Traces } from "./trial.ts";

const TITLE = "the trial is cleaned up";

/** What the database's owner may do, and no key. */
export interface Owner {
  /** Removes a user where Auth has no admin API. */
  readonly removeUser: (id: string) => Promise<void>;
  /** Removes what is on record of an account that was denied something, and its events. */
  readonly forget: (id: string) => Promise<void>;
}

/** What is removed, and how. */
type Step = readonly [what: string, remove: () => Promise<unknown>];

/**
 * Removes what a trial added, as far as it is there: each step is tried, and named
 * where it fails. The ledger is append-only: the account stays, closed and empty.
 *
 * @param owner removes what no key may remove
 */
export async function endTrial(
  project: Project,
  traces: Traces,
  owner?: Owner,
): Promise<Check> {
  const { name, account } = traces;
  let id = traces.id;
  try {
    id ??= await findUser(project, traces);
  } catch (error) {
    const found = `left, maybe: the user (${(error as Error).message})`;
    const remedy = `Is there a user ${account.email}? Remove it by hand.`;
    return check(TITLE, false, found, remedy);
  }
  if (!id) return fine(TITLE, "no user was made");
  const left = await tryEach(stepsFor(project, { ...traces, id }, owner));
  return check(
    TITLE,
    left.length === 0,
    left.join("; ") || whatStays(owner),
    `By hand: select erase_account('${id}'); then remove the user ${account.email} and what is named ${name}.`,
  );
}

/** Who was signed up although no answer came; undefined where there is nobody. */
async function findUser(
  project: Project,
  { account }: Traces,
): Promise<string | undefined> {
  const { status, body } = await project.call(
    "/auth/v1/token?grant_type=password",
    { body: account },
  );
  if (status === 200) return body.user.id;
  if (body.error_code === "invalid_credentials") return undefined;
  throw new Error(`Auth answered ${status}`);
}

/** @returns what was not removed, by the reason */
async function tryEach(steps: readonly Step[]): Promise<string[]> {
  const left = new Map<string, string[]>();
  for (const [what, remove] of steps) {
    await remove().catch(({ message }) => {
      left.set(message, [...left.get(message) ?? [], what]);
    });
  }
  return [...left].map(([why, what]) => `left: ${what.join(", ")} (${why})`);
}

function whatStays(owner?: Owner): string {
  const stays = "its closed account stays, empty, with its entries and jobs";
  return owner
    ? stays
    : `${stays}, and until their time is over its denials (credit_request_events) and events (credit_events)`;
}

function stepsFor(
  project: Project,
  { id, name, expensive }: Traces & { id: string },
  owner?: Owner,
): Step[] {
  const steps: Step[] = [
    ["revenue", () => giveBack(project, id)],
    ["credits", () => withdrawGrants(project, id)],
    ["account", () => project.rpc("erase_account", { p_account_id: id })],
    ["plan", () => removePlan(project, id, name)],
    // After the account is closed: prices of live accounts' jobs are kept.
    [
      "models",
      () => removeModels(project, [name, expensive]),
    ],
    [
      "sign-up grant",
      () => remove(project, `credit_sign_up_grants?account_id=eq.${id}`),
    ],
  ];
  if (owner) {
    steps.push(["denials and events", () => owner.forget(id)]);
  }
  return [...steps, ["user", () => removeUser(project, id, owner)]];
}

/** What was made is nobody's purchase; what still runs would be refunded later, after the grants are gone. */
async function giveBack(project: Project, id: string): Promise<void> {
  const jobs = await project.must(
    `/rest/v1/generation_jobs?account_id=eq.${id}&status=in.(pending,running,succeeded)&select=id`,
  );
  for (const { id: p_job_id } of jobs) {
    await project.rpc("refund_credits", { p_job_id, p_reason: "verify" });
  }
}

async function withdrawGrants(project: Project, id: string): Promise<void> {
  const grants = await project.must(
    `/rest/v1/credit_grants?account_id=eq.${id}&is_open=is.true&select=id`,
  );
  for (const grant of grants) {
    await project.rpc("withdraw_credits", {
      p_account_id: id,
      p_grant_id: grant.id,
      p_reason: "verify",
    });
  }
}

async function remove(project: Project, rows: string): Promise<void> {
  await project.must(`/rest/v1/${rows}`, { method: "DELETE" });
}

/** Ends them where the database is the router of shards, which keeps each price. */
async function removeModels(
  project: Project,
  names: readonly string[],
): Promise<void> {
  const rows = `generation_models?name=in.(${names})`;
  const { status } = await project.call(`/rest/v1/${rows}`, {
    method: "DELETE",
  });
  if (status < 300) return;
  if (status !== 409) return await remove(project, rows);
  for (const p_model of names) {
    await project.rpc("set_model_price", {
      p_model,
      p_settings: { enabled: false },
    });
  }
}

async function removePlan(
  project: Project,
  id: string,
  name: string,
): Promise<void> {
  await project.rpc("set_account_plan", {
    p_account_id: id,
    p_plan: "default",
  });
  await remove(project, `credit_plans?name=eq.${name}`);
}

/** By the admin API, else by the database's owner. */
async function removeUser(
  project: Project,
  id: string,
  owner?: Owner,
): Promise<void> {
  const { status } = await project.call(`/auth/v1/admin/users/${id}`, {
    method: "DELETE",
  }).catch((error) => {
    if (!owner) throw error;
    return { status: 0 };
  });
  if (status >= 200 && status < 300) return;
  if (!owner) {
    throw new Error(
      `Auth's admin API answered ${status}: npm run verify -- --db-url goes without it`,
    );
  }
  await owner.removeUser(id);
}
