import { RETRY_EVENT } from "../actions/actions.ts";
import { ActionButton } from "../actions/button.tsx";
import { Board, type Column } from "../parts/board.tsx";
import { Page } from "../parts/page.tsx";
import { ACCOUNT } from "./columns.tsx";

const COLUMNS: readonly Column[] = [
  { source: "created_at", label: "Since", kind: "time" },
  { source: "type", label: "Event" },
  { source: "state", label: "State" },
  { source: "attempts", label: "Tries", kind: "number" },
  { source: "last_error", label: "Last error" },
  { source: "next_attempt_at", label: "Next try", kind: "time" },
  ACCOUNT,
];

/** What your app has not been told yet. */
export function EventsPage() {
  return (
    <Page title="Events that were not delivered">
      <Board
        resource="events"
        columns={COLUMNS}
        empty="Every event has been delivered."
        actions={(event) => (
          <ActionButton
            action={RETRY_EVENT}
            fixed={{ p_event_id: event.event_id }}
          />
        )}
      />
    </Page>
  );
}
