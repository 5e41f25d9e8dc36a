import Button from "@mui/material/Button";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { FIX } from "../actions/actions.ts";
import { ActionButton } from "../actions/button.tsx";
import type { Row } from "../data/pages.ts";
import { Board, type Column } from "../parts/board.tsx";
import { useData, useOperator } from "../parts/operator.tsx";
import { Page, Section } from "../parts/page.tsx";
import { Failure } from "../parts/states.tsx";
import { ACCOUNT } from "./columns.tsx";

const COLUMNS: readonly Column[] = [
  { source: "class", label: "Kind" },
  { source: "detail", label: "What" },
  { source: "meaning", label: "Meaning" },
  { source: "cause", label: "Cause" },
  { source: "remedy", label: "Remedy" },
  ACCOUNT,
  { source: "found_at", label: "Found", kind: "time" },
];

const RUNS: readonly Column[] = [
  { source: "started_at", label: "Started", kind: "time" },
  { source: "deep", label: "Deep" },
  { source: "accounts_checked", label: "Accounts", kind: "number" },
  { source: "entries_checked", label: "Entries", kind: "number" },
  { source: "discrepancies", label: "Discrepancies", kind: "number" },
];

/** What the books disagree about, and what makes it right. */
export function DiscrepanciesPage() {
  return (
    <Page title="Discrepancies" aside={<CheckNow />}>
      <Board
        resource="discrepancies"
        columns={COLUMNS}
        empty="No check has found anything."
        actions={(found: Row) =>
          found.fix
            ? (
              <ActionButton
                action={FIX}
                fixed={{ p_class: found.class, p_subject: found.subject }}
              />
            )
            : null}
      />
      <Section title="Checks">
        <Board
          resource="reconciliations"
          columns={RUNS}
          perPage={10}
          empty="Nothing has been checked yet."
        />
      </Section>
    </Page>
  );
}

function CheckNow() {
  const data = useData();
  const queries = useQueryClient();
  const check = useMutation({
    mutationFn: () => data.call("operator_reconcile"),
    onSuccess: () => queries.invalidateQueries(),
  });
  const { operator } = useOperator();
  if (!operator || operator.role === "viewer") return null;
  return (
    <>
      <Button
        variant="outlined"
        size="small"
        disabled={check.isPending}
        onClick={() => check.mutate()}
      >
        {check.isPending ? "Checking …" : "Check now"}
      </Button>
      {check.error && <Failure error={check.error} />}
    </>
  );
}
