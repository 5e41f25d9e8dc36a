import {
  ADD_OPERATOR,
  REMOVE_OPERATOR,
  SET_OPERATOR,
} from "../actions/actions.ts";
import { ActionButton } from "../actions/button.tsx";
import type { Row } from "../data/pages.ts";
import { Board, type Column } from "../parts/board.tsx";
import { useOperator } from "../parts/operator.tsx";
import { Page } from "../parts/page.tsx";
import { person } from "./columns.tsx";

const COLUMNS: readonly Column[] = [
  person("user_id", "Operator"),
  { source: "role", label: "Role" },
  { source: "max_per_action", label: "Most an action", kind: "number" },
  { source: "max_per_day", label: "Most a day", kind: "number" },
  { source: "used_today", label: "Used today", kind: "number" },
  { source: "note", label: "Note" },
  { source: "created_at", label: "Since", kind: "time" },
  { source: "disabled_at", label: "Removed", kind: "time" },
];

/** Who may do what here. */
export function TeamPage() {
  const { operator } = useOperator();
  return (
    <Page
      title="Operators"
      aside={<ActionButton action={ADD_OPERATOR} fixed={{}} />}
    >
      <Board
        resource="team"
        columns={COLUMNS}
        empty="There is no operator."
        actions={(row) =>
          row.user_id === operator?.user_id ? null : <Change row={row} />}
      />
    </Page>
  );
}

/** Nobody changes their own row: SQL refuses it too. */
function Change({ row }: { row: Row }) {
  const fixed = { p_user_id: row.user_id };
  const text = (value: unknown) => value === null ? "" : String(value);
  return (
    <>
      <ActionButton
        action={SET_OPERATOR}
        fixed={fixed}
        initial={{
          p_role: text(row.role),
          p_max_per_action: text(row.max_per_action),
          p_max_per_day: text(row.max_per_day),
        }}
      />
      {!row.disabled_at && (
        <ActionButton action={REMOVE_OPERATOR} fixed={fixed} danger />
      )}
    </>
  );
}
