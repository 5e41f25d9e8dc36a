import type { Row } from "../data/pages.ts";
import { CANCEL, REFUND } from "./actions.ts";
import { ActionButton } from "./button.tsx";

/** What can be done with a job: cancel it while it runs, and refund what it cost afterwards. */
export function JobActions({ job }: { job: Row }) {
  const fixed = { p_job_id: job.job_id };
  const open = ["pending", "running"].includes(String(job.status));
  if (open) return <ActionButton action={CANCEL} fixed={fixed} />;
  return Number(job.paid) > 0
    ? <ActionButton action={REFUND} fixed={fixed} />
    : null;
}
