import type { Row } from "../data/pages.ts";
import { Board, type Column } from "../parts/board.tsx";
import { Page } from "../parts/page.tsx";

const COLUMNS: readonly Column[] = [
  { source: "provider", label: "Provider" },
  { source: "model", label: "Model" },
  {
    source: "healthy",
    label: "Health",
    show: (row: Row) => row.healthy ? "healthy" : "failing",
  },
  { source: "jobs", label: "Jobs", kind: "number" },
  { source: "succeeded", label: "Succeeded", kind: "number" },
  { source: "failed", label: "Failed", kind: "number" },
  { source: "open", label: "Open", kind: "number" },
  { source: "p50_seconds", label: "Median s" },
  { source: "p95_seconds", label: "95 % within s" },
  { source: "credits_charged", label: "Charged", kind: "number" },
  { source: "credits_refunded", label: "Refunded", kind: "number" },
  { source: "last_failure_code", label: "Last failure" },
  { source: "last_failure_at", label: "Failed at", kind: "time" },
];

/** How the providers did in the last 24 hours. */
export function ProvidersPage() {
  return (
    <Page title="Providers, last 24 hours">
      <Board
        resource="providers"
        columns={COLUMNS}
        empty="No job was asked for in the last 24 hours."
      />
    </Page>
  );
}
