import { parseFields } from "../_shared/body.ts";
import { parseQuery } from "../_shared/page.ts";
import { Problem } from "../_shared/problem.ts";
import type { UserContext } from "../_shared/user_handler.ts";
import type { JobDetail, JobRow } from "../_shared/user_rows.ts";
import { idQuery } from "./contract.ts";

/**
 * The job that a request names, where its user may see it.
 *
 * @throws {Problem} 404
 */
export async function ownJob(
  { url, params, rows }: UserContext,
): Promise<JobDetail> {
  const { id } = params.id === undefined
    ? parseQuery(idQuery, url)
    : parseFields(idQuery, { id: params.id });
  const job = await rows.job(id);
  if (!job) throw new Problem("not_found", "You have no job with this id.");
  return job;
}

/** `charged` is what the job cost after all: 0 once it is refunded. */
export function withCharged<T extends JobRow>(job: T): T & { charged: number } {
  return { ...job, charged: job.cost - job.refunded };
}
