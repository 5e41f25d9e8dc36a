import { Board, type Column } from "../parts/board.tsx";
import { words } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { ACCOUNT, person } from "./columns.tsx";

const COLUMNS: readonly Column[] = [
  { source: "created_at", label: "When", kind: "time" },
  person("operator_id", "Who"),
  { source: "seq", label: "Action", kind: "number" },
  { source: "action", label: "What", show: (row) => words(row.action) },
  { source: "credits", label: "Credits", kind: "number" },
  ACCOUNT,
  { source: "subject", label: "About" },
  { source: "reason", label: "Reason" },
  { source: "before", label: "Before" },
  { source: "after", label: "After" },
];

/** Everything that operators did. Nobody can change it. */
export function LogPage() {
  return (
    <Page title="Log">
      <Board
        resource="log"
        columns={COLUMNS}
        empty="No operator has done anything yet."
      />
    </Page>
  );
}
