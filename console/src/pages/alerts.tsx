import { ACKNOWLEDGE, MUTE } from "../actions/actions.ts";
import { ActionButton } from "../actions/button.tsx";
import type { Row } from "../data/pages.ts";
import { Board, type Column } from "../parts/board.tsx";
import { Page, Section } from "../parts/page.tsx";

const COLUMNS: readonly Column[] = [
  { source: "severity", label: "Severity" },
  { source: "rule", label: "Rule", kind: "word" },
  { source: "subject", label: "About" },
  { source: "detail", label: "What" },
  { source: "remedy", label: "Remedy" },
  { source: "fired_at", label: "Since", kind: "time" },
  { source: "acknowledged_by", label: "Acknowledged by" },
  { source: "muted_until", label: "Muted until", kind: "time" },
];

/** What is wrong now, and what was. */
export function AlertsPage() {
  return (
    <Page title="Alerts">
      <Section title="Now">
        <Board
          resource="open_alerts"
          columns={COLUMNS}
          empty="No alert is open."
          actions={(alert: Row) => (
            <>
              {!alert.acknowledged_at && (
                <ActionButton
                  action={ACKNOWLEDGE}
                  fixed={{ p_alert_id: alert.alert_id }}
                />
              )}
              <ActionButton action={MUTE} fixed={{ p_rule: alert.rule }} />
            </>
          )}
        />
      </Section>
      <Section title="All">
        <Board
          resource="alerts"
          columns={[...COLUMNS, {
            source: "resolved_at",
            label: "Over",
            kind: "time",
          }]}
          empty="No alert has ever fired."
        />
      </Section>
    </Page>
  );
}
