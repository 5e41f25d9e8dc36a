import type { Contract } from "../_shared/contract.ts";

/** `GET metrics`. */
export const metricsContract: Contract = {
  summary: "OpenMetrics for Prometheus",
  caller: "operator",
  answers: {
    200: {
      means: "The state of credits, jobs and deliveries.",
      alsoAs: ["text/plain", "application/openmetrics-text"],
    },
  },
};
