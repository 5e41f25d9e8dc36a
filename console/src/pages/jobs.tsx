import { JobActions } from "../actions/of_job.tsx";
import { Board } from "../parts/board.tsx";
import { Page } from "../parts/page.tsx";
import { ACCOUNT, JOBS } from "./columns.tsx";

/** Jobs of all accounts that have not ended. */
export function JobsPage() {
  return (
    <Page title="Open jobs">
      <Board
        resource="open_jobs"
        columns={[...JOBS, ACCOUNT]}
        empty="No job is open."
        actions={(job) => <JobActions job={job} />}
      />
    </Page>
  );
}
