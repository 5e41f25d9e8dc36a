import { ActionButton } from "../actions/button.tsx";
import { REVERSE } from "../actions/actions.ts";
import { JobActions } from "../actions/of_job.tsx";
import { PaymentActions } from "../actions/of_payment.tsx";
import type { Row } from "../data/pages.ts";
import { Board } from "../parts/board.tsx";
import { GRANTS, JOBS, MEMBERS, PAYMENTS } from "./columns.tsx";

interface PartProps {
  readonly account: string;
}

export function Grants({ account }: PartProps) {
  return (
    <Board
      resource="grants"
      filter={{ account_id: account }}
      columns={GRANTS}
      empty="This account never had a credit."
      actions={(grant: Row) =>
        grant.state === "reversed" ? null : (
          <ActionButton
            action={REVERSE}
            fixed={{ p_account_id: account, p_grant_id: grant.grant_id }}
            initial={{ p_target: String(grant.amount) }}
          />
        )}
    />
  );
}

export function Jobs({ account }: PartProps) {
  return (
    <Board
      resource="jobs"
      filter={{ account_id: account }}
      columns={JOBS}
      empty="This account has asked for nothing."
      actions={(job) => <JobActions job={job} />}
    />
  );
}

export function Payments({ account }: PartProps) {
  return (
    <Board
      resource="payments"
      filter={{ account_id: account }}
      columns={PAYMENTS}
      empty="This account has paid nothing."
      actions={(payment) => <PaymentActions payment={payment} />}
    />
  );
}

export function Members({ account }: PartProps) {
  return (
    <Board
      resource="members"
      filter={{ account_id: account }}
      columns={MEMBERS}
      empty="Nobody but its owner uses this account."
    />
  );
}
