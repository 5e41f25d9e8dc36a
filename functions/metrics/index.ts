import { authenticateService } from "../_shared/auth.ts";
import { operationalMetrics } from "../_shared/operational_metrics.ts";
import { serveRoutes } from "../_shared/route.ts";
import { metricsRoutes } from "./handler.ts";

/** The edge function `metrics`: scraped by Prometheus with the secret key. */
export default {
  fetch: serveRoutes(
    "metrics",
    metricsRoutes({ authenticateService, operationalMetrics }),
  ),
};
