import Tab from "@mui/material/Tab";
import Tabs from "@mui/material/Tabs";
import { useGetList } from "react-admin";
import { Link, useParams } from "react-router-dom";
import { AccountActions } from "../actions/of_account.tsx";
import type { Row } from "../data/pages.ts";
import { grouped } from "../parts/format.ts";
import { Time } from "../parts/time.tsx";
import { Figures, Page } from "../parts/page.tsx";
import { Mail } from "../parts/people.tsx";
import { Empty, Failure, Loading } from "../parts/states.tsx";
import { Grants, Jobs, Members, Payments } from "./account_parts.tsx";
import { Timeline } from "./timeline.tsx";

const PARTS = {
  timeline: ["Timeline", Timeline],
  grants: ["Grants", Grants],
  jobs: ["Jobs", Jobs],
  payments: ["Payments", Payments],
  members: ["Members", Members],
} as const;

/** One account: what it has, what happened, and what can be done about it. */
export function AccountPage() {
  const { id = "", part = "timeline" } = useParams();
  const { data, error, isPending, refetch } = useGetList("accounts", {
    pagination: { page: 1, perPage: 1 },
    filter: { account_id: id },
  });
  const account = data?.[0] as Row | undefined;
  const here = part in PARTS ? part as keyof typeof PARTS : "timeline";
  const [, Part] = PARTS[here];
  if (isPending) return <Loading />;
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (!account) {
    return (
      <Page title="Account">
        <Empty>
          There is no account with this id. Search for the mail instead.
        </Empty>
      </Page>
    );
  }
  return (
    <Page
      title={account.is_team ? "Team account" : "Account"}
      aside={<AccountActions account={account} />}
    >
      <Summary account={account} />
      <Tabs
        value={here}
        variant="scrollable"
        scrollButtons="auto"
        allowScrollButtonsMobile
        aria-label="Parts of the account"
      >
        {Object.entries(PARTS).map(([name, [label]]) => (
          <Tab
            key={name}
            value={name}
            label={label}
            component={Link}
            to={`/accounts/${id}/${name}`}
          />
        ))}
      </Tabs>
      <Part key={`${id} ${here}`} account={id} />
    </Page>
  );
}

function Summary({ account }: { account: Row }) {
  return (
    <Figures
      of={{
        Who: account.user_id ? <Mail of={account.user_id} /> : "a team",
        State: String(account.state),
        Balance: grouped(account.balance),
        "Can be spent": grouped(account.spendable),
        Debt: grouped(account.debt),
        Plan: String(account.plan),
        Overdraft: grouped(account.credit_limit),
        "Open jobs": grouped(account.open_jobs),
        Since: <Time at={account.created_at} />,
        Account: <span className="id">{String(account.account_id)}</span>,
      }}
    />
  );
}
