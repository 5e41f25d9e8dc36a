import { useGetList } from "react-admin";
import { useParams } from "react-router-dom";
import { JobActions } from "../actions/of_job.tsx";
import type { Row } from "../data/pages.ts";
import { grouped, plain } from "../parts/format.ts";
import { Time } from "../parts/time.tsx";
import { AccountLink, RequestLink } from "../parts/links.tsx";
import { Figures, Page, Section } from "../parts/page.tsx";
import { Mail } from "../parts/people.tsx";
import { Empty, Failure, Loading } from "../parts/states.tsx";

/** One job: what was asked, what it cost, and how it ended. */
export function JobPage() {
  const { id = "" } = useParams();
  const { data, error, isPending, refetch } = useGetList("job", {
    pagination: { page: 1, perPage: 1 },
    filter: { job_id: id },
  });
  const job = data?.[0] as Row | undefined;
  if (isPending) return <Loading />;
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (!job) {
    return (
      <Page title="Job">
        <Empty>There is no job with this id.</Empty>
      </Page>
    );
  }
  return (
    <Page title="Job" aside={<JobActions job={job} />}>
      <Figures
        of={{
          Status: plain(job.status),
          Model: `${job.model} (${job.provider})`,
          Cost: grouped(job.cost),
          Refunded: grouped(job.refunded),
          Asked: <Time at={job.created_at} />,
          Ended: <Time at={job.ended_at} />,
          Account: <AccountLink id={job.account_id} />,
          Who: <Mail of={job.member_id ?? job.account_id} />,
          Request: <RequestLink id={job.request_id} />,
          Job: <span className="id">{plain(job.job_id)}</span>,
          "Job of the provider": (
            <span className="id">{plain(job.provider_job_id)}</span>
          ),
        }}
      />
      {Boolean(job.error_code) && (
        <p>
          <strong>{plain(job.error_code)}</strong> {plain(job.error_message)}
        </p>
      )}
      <Section title="Asked for">
        <pre className="detail">{JSON.stringify(job.request, null, 2)}</pre>
      </Section>
      {Boolean(job.usage) && (
        <Section title="Used">
          <pre className="detail">{JSON.stringify(job.usage, null, 2)}</pre>
        </Section>
      )}
    </Page>
  );
}
