/** A panel with the SQL that it shows. */
export interface PanelQuery {
  readonly panel: string;
  readonly format: "table" | "time_series";
  readonly sql: string;
}

/** What is read here of a dashboard's JSON. */
interface DashboardJson {
  readonly title: string;
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly {
      readonly format: PanelQuery["format"];
      readonly rawSql: string;
    }[];
  }[];
}

const SECONDS = { h: 3_600, d: 86_400 };
const RANGE_DAYS = 7;

/** Every query of a dashboard's JSON. */
export function queriesOf(json: string): PanelQuery[] {
  const dashboard: DashboardJson = JSON.parse(json);
  return dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ format, rawSql }) => ({
      panel: `${dashboard.title} / ${title}`,
      format,
      sql: expandMacros(rawSql),
    }))
  );
}

/** What Grafana's Postgres datasource makes of the macros that are used here, for the last days. */
function expandMacros(sql: string): string {
  const now = Date.now();
  const at = (days: number) => new Date(now + days * 86_400_000).toISOString();
  return sql
    .replaceAll(
      /\$__timeFilter\(([^)]+)\)/g,
      (_, column) => `${column} between '${at(-RANGE_DAYS)}' and '${at(1)}'`,
    )
    .replaceAll(
      /\$__timeGroup\(([^,)]+),\s*'(\d+)([hd])'\)/g,
      (_, column, count, unit: keyof typeof SECONDS) => {
        const size = Number(count) * SECONDS[unit];
        return `floor(extract(epoch from ${column}) / ${size}) * ${size}`;
      },
    );
}
