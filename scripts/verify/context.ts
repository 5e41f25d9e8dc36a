import type { Answer, Project } from "./project.ts";
import type { Trial } from "./trial.ts";

/** What each check over HTTP works with. */
export interface Context {
  readonly project: Project;
  readonly trial: Trial;
  /** Every answer of the functions so far. */
  readonly answers: Answer[];
}

/** What the trial's user has. */
export async function balanceOf({ project, trial }: Context): Promise<number> {
  const [account] = await project.must(
    `/rest/v1/credit_accounts?id=eq.${trial.id}&select=balance`,
  );
  return Number(account.balance);
}
