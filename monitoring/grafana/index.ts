import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { jobsAndProviders } from "./jobs_and_providers.ts";
import { money } from "./money.ts";
import { overview } from "./overview.ts";
import { reconciliationAndAlerts } from "./reconciliation_and_alerts.ts";

const DASHBOARDS: Record<string, Dashboard> = {
  "overview.json": overview,
  "money.json": money,
  "jobs_and_providers.json": jobsAndProviders,
  "reconciliation_and_alerts.json": reconciliationAndAlerts,
};

/** Every dashboard as the text of its file, by the file's name. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    Object.entries(DASHBOARDS).map(([file, dashboard]) => [
      file,
      `${JSON.stringify(dashboard, null, 2)}\n`,
    ]),
  );
}
