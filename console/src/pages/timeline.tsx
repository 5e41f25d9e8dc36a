import { useInfiniteQuery } from "@tanstack/react-query";
import Button from "@mui/material/Button";
import { csvOf } from "../parts/csv.ts";
import { change, grouped, words } from "../parts/format.ts";
import { Time } from "../parts/time.tsx";
import { JobLink, RequestLink } from "../parts/links.tsx";
import { useData } from "../parts/operator.tsx";
import { save } from "../parts/save.ts";
import { Empty, Failure, Loading } from "../parts/states.tsx";

const PER_PAGE = 50;
const SAVED = [
  "at",
  "kind",
  "title",
  "credits",
  "balance",
  "job_id",
  "grant_id",
  "payment_id",
  "request_id",
  "operator_id",
  "action_seq",
  "detail",
] as const;

/** One thing that happened to an account. */
interface Event {
  readonly at: string;
  readonly key: string;
  readonly kind: string;
  readonly title: string;
  readonly credits: number | null;
  readonly balance: number | null;
  readonly job_id: string | null;
  readonly grant_id: number | null;
  readonly payment_id: string | null;
  readonly request_id: string | null;
  readonly operator_id: string | null;
  readonly action_seq: number | null;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** Everything that happened to an account, the newest first. */
export function Timeline({ account }: { account: string }) {
  const data = useData();
  const list = useInfiniteQuery({
    queryKey: ["timeline", account],
    initialPageParam: null as Event | null,
    queryFn: ({ pageParam: last }) =>
      data.call<Event[]>("operator_timeline", {
        p_account_id: account,
        p_before_at: last?.at ?? null,
        p_before_key: last?.key ?? null,
        p_limit: PER_PAGE,
      }),
    getNextPageParam: (page) =>
      page.length < PER_PAGE ? undefined : page.at(-1)!,
  });
  const events = list.data?.pages.flat() ?? [];
  if (list.isPending) return <Loading />;
  if (list.error && events.length === 0) {
    return <Failure error={list.error} retry={() => list.refetch()} />;
  }
  if (events.length === 0) return <Empty>Nothing has happened yet.</Empty>;
  return (
    <>
      <Events of={events} />
      {list.error && (
        <Failure
          error={list.error}
          retry={() => list.refetch()}
        />
      )}
      <div className="foot">
        <span>{grouped(events.length)} shown</span>
        {list.hasNextPage && (
          <Button
            onClick={() => list.fetchNextPage()}
            disabled={list.isFetchingNextPage}
          >
            Show more
          </Button>
        )}
        <Button
          onClick={() =>
            save(
              "timeline.csv",
              csvOf(SAVED, events.map((row) => SAVED.map((name) => row[name]))),
            )}
        >
          Save as CSV
        </Button>
      </div>
    </>
  );
}

function Events({ of }: { of: readonly Event[] }) {
  return (
    <table className="board" aria-label="Timeline">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">What</th>
          <th scope="col">Because</th>
          <th scope="col" className="number">Credits</th>
          <th scope="col" className="number">Balance</th>
        </tr>
      </thead>
      <tbody>
        {of.map((event) => (
          <tr key={event.key}>
            <td data-label="When" className="time">
              <Time at={event.at} />
            </td>
            <td data-label="What">
              <strong>{words(event.kind)}</strong> {event.title}
            </td>
            <td data-label="Because">
              <Because event={event} />
            </td>
            <td data-label="Credits" className="number">
              {event.credits === null ? "" : change(event.credits)}
            </td>
            <td data-label="Balance" className="number">
              {event.balance === null ? "" : grouped(event.balance)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What led to it: the operator and their reason, the job, the request, the payment, the grant. */
function Because({ event }: { event: Event }) {
  const { detail, operator_id, action_seq } = event;
  return (
    <>
      {operator_id && (
        <div>
          {String(detail?.operator ?? operator_id)}
          {action_seq !== null && ` (action ${grouped(action_seq)})`}
          {typeof detail?.reason === "string" && `: ${detail.reason}`}
        </div>
      )}
      {event.job_id && (
        <div>
          job <JobLink id={event.job_id} />
        </div>
      )}
      {event.request_id && (
        <div>
          request <RequestLink id={event.request_id} />
        </div>
      )}
      {event.payment_id && (
        <div>
          payment <span className="id">{event.payment_id}</span>
        </div>
      )}
      {event.grant_id !== null && <div>grant {grouped(event.grant_id)}</div>}
    </>
  );
}
