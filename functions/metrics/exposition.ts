import { Counter, Gauge, Registry } from "prom-client";
import type { MetricRow } from "../_shared/operational_metrics.ts";
import { type MetricDescription, METRICS } from "./catalog.ts";

// A database that is newer than this function may know more.
const UNKNOWN: MetricDescription = {
  type: "gauge",
  help: "Not described: deploy the function metrics again.",
};

/** The two formats that Prometheus reads, by their content types. */
export const FORMATS = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openMetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

/** A content type of {@link FORMATS}. */
export type Format = typeof FORMATS[keyof typeof FORMATS];

/** Writes metrics as Prometheus reads them. */
export function expose(rows: MetricRow[], format: Format): Promise<string> {
  const registry = new Registry<Format>();
  registry.setContentType(format);
  for (const [name, values] of Map.groupBy(rows, ({ metric }) => metric)) {
    register(registry, name, values);
  }
  return registry.metrics();
}

function register(
  registry: Registry<Format>,
  name: string,
  values: MetricRow[],
): void {
  const { type, help } = METRICS[name] ?? UNKNOWN;
  const labelNames = Object.keys(values[0]!.labels);
  const configuration = { name, help, labelNames, registers: [registry] };
  if (type === "counter") {
    const counter = new Counter(configuration);
    for (const { labels, value } of values) counter.inc(labels, value);
  } else {
    const gauge = new Gauge(configuration);
    for (const { labels, value } of values) gauge.set(labels, value);
  }
}
