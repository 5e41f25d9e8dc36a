import { useParams } from "react-router-dom";
import { change } from "../parts/format.ts";
import { Time } from "../parts/time.tsx";
import { AccountLink, JobLink } from "../parts/links.tsx";
import { useCall } from "../parts/operator.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Failure, Loading } from "../parts/states.tsx";

interface Step {
  readonly at: string;
  readonly step: string;
  readonly detail: string | null;
  readonly account_id: string | null;
  readonly job_id: string | null;
  readonly credits: number | null;
}

/** What one request did, step by step. */
export function RequestPage() {
  const { id = "" } = useParams();
  const { data, error, isPending, refetch } = useCall<Step[]>(
    "operator_request_trail",
    { p_request_id: id },
  );
  return (
    <Page title="Request">
      <p className="id">{id}</p>
      {isPending
        ? <Loading />
        : error
        ? <Failure error={error} retry={() => refetch()} />
        : data.length === 0
        ? (
          <Empty>
            No request with this id has moved or been denied credits.
          </Empty>
        )
        : <Steps of={data} />}
    </Page>
  );
}

function Steps({ of }: { of: readonly Step[] }) {
  return (
    <table className="board">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Step</th>
          <th scope="col">Detail</th>
          <th scope="col" className="number">Credits</th>
          <th scope="col">Where</th>
        </tr>
      </thead>
      <tbody>
        {of.map((step, position) => (
          <tr key={position}>
            <td data-label="When" className="time">
              <Time at={step.at} />
            </td>
            <td data-label="Step">{step.step}</td>
            <td data-label="Detail">{step.detail}</td>
            <td data-label="Credits" className="number">
              {step.credits === null ? "" : change(step.credits)}
            </td>
            <td data-label="Where">
              <div>
                <AccountLink id={step.account_id} />
              </div>
              <div>
                <JobLink id={step.job_id} />
              </div>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
