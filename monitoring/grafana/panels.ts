import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import {
  BigValueGraphMode,
  ReduceDataOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type Dashboard,
  DashboardBuilder,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as SeriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

const DATASOURCE = {
  type: "grafana-postgresql-datasource",
  uid: "atomic-credits",
};

/** How Grafana reads the rows of a query. */
type Format = "table" | "time_series";

/** What a panel shows. */
interface PanelOptions {
  title: string;
  /** What the numbers mean and what to do about them. */
  description: string;
  /** Reads the datasource; may use Grafana's macros $__timeFilter and $__timeGroup. */
  sql: string;
  /** Grafana's name of the unit; the number as it is unless told. */
  unit?: string;
  /** Columns of 24; as wide as its kind usually is unless told. */
  span?: number;
}

/** A panel with a single number; `alarm`: from which value on it is red. */
interface StatOptions extends PanelOptions {
  alarm?: number;
}

/** A dashboard and when it looks at what. */
interface DashboardOptions {
  uid: string;
  title: string;
  description: string;
  /** How far back it begins to look, such as now-24h. */
  from: string;
  /** How often it reads again; "" for never. */
  refresh: string;
  panels: Builder<Panel>[];
}

/** One number of the first row's only column. */
export function stat(
  { alarm, span = 4, ...options }: StatOptions,
): Builder<Panel> {
  const panel = withQuery(new StatBuilder(), options, "table")
    .span(span).height(4).graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
  return alarm === undefined ? panel : panel.thresholds(redFrom(alarm));
}

/** Lines over time: columns time, metric (the line's name) and value. */
export function series(
  { span = 12, ...options }: PanelOptions,
): Builder<Panel> {
  return withQuery(new SeriesBuilder(), options, "time_series")
    .span(span).height(8).fillOpacity(10).axisSoftMin(0);
}

/** The rows as they come. */
export function table({ span = 24, ...options }: PanelOptions): Builder<Panel> {
  return withQuery(new TableBuilder(), options, "table")
    .span(span).height(8).filterable(true).unit("string");
}

/** A dashboard with its panels from left to right, numbered in that order. */
export function dashboard(
  { uid, title, description, from, refresh, panels }: DashboardOptions,
): Dashboard {
  const builder = new DashboardBuilder(title).uid(uid).description(description)
    .tags(["atomic-credits"]).time({ from, to: "now" }).refresh(refresh)
    .timezone("browser").readonly();
  panels.forEach((panel, index) =>
    builder.withPanel({ build: () => ({ ...panel.build(), id: index + 1 }) })
  );
  return builder.build();
}

function withQuery<
  Kind extends StatBuilder | SeriesBuilder | TableBuilder,
>(panel: Kind, options: Omit<PanelOptions, "span">, format: Format): Kind {
  const { title, description, sql, unit = "locale" } = options;
  panel.title(title).description(description).datasource(DATASOURCE)
    .unit(unit).withTarget({ build: () => query(sql, format) });
  return panel;
}

/** A query of Grafana's Postgres datasource, which the SDK has no builder for. */
function query(sql: string, format: Format): Dataquery {
  const target = {
    refId: "A",
    datasource: DATASOURCE,
    editorMode: "code",
    format,
    rawQuery: true,
    rawSql: sql.trim().replaceAll(/^ {6}/gm, ""),
    _implementsDataqueryVariant() {},
  };
  return target;
}

function redFrom(value: number): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
    { value: null, color: "green" },
    { value, color: "red" },
  ]);
}
