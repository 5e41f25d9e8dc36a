import postgres, { type Sql } from "postgres";
import { type Check, check, fine } from "./check.ts";
import type { Project } from "./project.ts";
import type { Trial } from "./trial.ts";

const TITLE = "the trial is cleaned up";

/**
 * Removes what a trial added, whatever of it is there. The ledger is
 * append-only: its account stays, closed and empty.
 *
 * @param databaseUrl removes the user where Auth has no admin API, and what the trial was refused
 */
export async function endTrial(
  project: Project,
  { id, name, dear }: Pick<Trial, "id" | "name" | "dear">,
  databaseUrl?: string,
): Promise<Check> {
  const left: string[] = [];
  const attempt = (act: Promise<unknown>) =>
    act.catch((error) => left.push(error.message));
  await attempt(revokeGrants(project, id));
  await attempt(
    project.rpc("set_account_plan", { p_account_id: id, p_plan: "default" }),
  );
  await attempt(remove(project, `credit_plans?name=eq.${name}`));
  await attempt(project.rpc("erase_account", { p_account_id: id }));
  // After the account is closed: prices of live accounts' jobs are kept.
  await attempt(
    remove(project, `generation_models?name=in.(${name},${dear})`),
  );
  await attempt(remove(project, `welcomes?account_id=eq.${id}`));
  if (databaseUrl) await attempt(forgetDenials(databaseUrl, id));
  if (left.length > 0) {
    const remedy = `Remove by hand what is named ${name}, and the user ${id}.`;
    return check(TITLE, false, left.join("; "), remedy);
  }
  const gone = await removeUser(project, id, databaseUrl);
  const user = gone ? "" : `, and so does the user ${id}: pass --db-url`;
  const denials = databaseUrl
    ? ""
    : ", with its denials until their month of request_events goes";
  return fine(TITLE, `its closed account stays, empty${denials}${user}`);
}

async function revokeGrants(project: Project, id: string): Promise<void> {
  const grants = await project.must(
    `/rest/v1/credit_grants?account_id=eq.${id}&is_open=is.true&select=id`,
  );
  for (const grant of grants) {
    await project.rpc("revoke_grant", {
      p_account_id: id,
      p_grant_id: grant.id,
      p_reason: "verify",
    });
  }
}

async function remove(project: Project, rows: string): Promise<void> {
  await project.must(`/rest/v1/${rows}`, { method: "DELETE" });
}

/** False where Auth has no admin API and there is no connection either. */
async function removeUser(
  project: Project,
  id: string,
  databaseUrl?: string,
): Promise<boolean> {
  const { status } = await project.call(`/auth/v1/admin/users/${id}`, {
    method: "DELETE",
  });
  if (status < 300) return true;
  if (!databaseUrl) return false;
  return await withDatabase(
    databaseUrl,
    (sql) => sql`delete from auth.users where id = ${id}`,
  ).then(() => true, () => false);
}

/** No key may change what is on record; the database's owner may. */
function forgetDenials(databaseUrl: string, id: string): Promise<unknown> {
  return withDatabase(
    databaseUrl,
    (sql) => sql`delete from public.request_events where account_id = ${id}`,
  );
}

async function withDatabase<T>(
  databaseUrl: string,
  act: (sql: Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    return await act(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
