import { z } from "zod";
import { run, serviceClient } from "./database.ts";

// A numeric comes as a number or, where it would lose digits, as text.
const metricRow = z.object({
  metric: z.string(),
  labels: z.record(z.string(), z.string()),
  value: z.coerce.number(),
});
/** One value of a metric, in the unit that its name says. */
export type MetricRow = z.infer<typeof metricRow>;

/** Reads the metrics as they stand now. Throws DatabaseError where the database cannot be reached. */
export type OperationalMetrics = () => Promise<MetricRow[]>;

/** The metrics of this project's database. */
export const operationalMetrics: OperationalMetrics = () =>
  run(serviceClient().rpc("operational_metrics"), z.array(metricRow));
