import { APPROVE, REJECT, TAKE_BACK } from "../actions/actions.ts";
import { ActionButton } from "../actions/button.tsx";
import type { Row } from "../data/pages.ts";
import { Board, type Column } from "../parts/board.tsx";
import { Page, Section } from "../parts/page.tsx";
import { ACCOUNT, person } from "./columns.tsx";

const COLUMNS: readonly Column[] = [
  { source: "created_at", label: "Asked", kind: "time" },
  person("operator_id", "By"),
  { source: "action", label: "Action", kind: "word" },
  { source: "credits", label: "Credits", kind: "number" },
  ACCOUNT,
  { source: "reason", label: "Reason" },
];

/** What is above somebody's limit, and waits for a second operator. */
export function ApprovalsPage() {
  return (
    <Page title="Approvals">
      <Section title="Waiting">
        <Board
          resource="waiting"
          columns={[...COLUMNS, {
            source: "expires_at",
            label: "Until",
            kind: "time",
          }]}
          empty="Nothing waits for an approval."
          actions={(asked: Row) => {
            const fixed = { p_approval_id: asked.approval_id };
            return (
              <>
                {!asked.is_mine && (
                  <ActionButton action={APPROVE} fixed={fixed} />
                )}
                <ActionButton
                  action={asked.is_mine ? TAKE_BACK : REJECT}
                  fixed={fixed}
                />
              </>
            );
          }}
        />
      </Section>
      <Section title="Decided">
        <Board
          resource="decided"
          columns={[
            ...COLUMNS,
            { source: "state", label: "State" },
            person("decided_by", "Decided by"),
            { source: "decided_at", label: "Decided", kind: "time" },
          ]}
          empty="Nothing has been decided yet."
        />
      </Section>
    </Page>
  );
}
