import { accepts } from "@std/http/negotiation";
import type { AuthenticateService } from "../_shared/auth.ts";
import type { OperationalMetrics } from "../_shared/operational_metrics.ts";
import type { Route } from "../_shared/route.ts";
import { metricsContract } from "./contract.ts";
import { expose, type Format, FORMATS } from "./exposition.ts";

const TEXT = "text/plain;version=0.0.4";
const OPEN_METRICS = "application/openmetrics-text;version=1.0.0";
const ESCAPING = /;\s*escaping=[\w-]+/gi;

/** What `metrics` works with. */
export interface MetricsDependencies {
  authenticateService: AuthenticateService;
  operationalMetrics: OperationalMetrics;
}

/** `GET metrics`: the state of credits, jobs and deliveries for Prometheus. */
export function metricsRoutes(dependencies: MetricsDependencies): Route[] {
  const handler: Route["handler"] = async ({ request }) => {
    await dependencies.authenticateService(request);
    const format = formatFor(request);
    const rows = await dependencies.operationalMetrics();
    return new Response(await expose(rows, format), {
      headers: { "content-type": format },
    });
  };
  return [{ method: "GET", path: "", contract: metricsContract, handler }];
}

/** OpenMetrics where it is preferred; else the text that every Prometheus reads. */
function formatFor({ headers }: Request): Format {
  // Prometheus 3 adds a parameter `escaping`. Our names need no escaping, so it is left out.
  const accept = headers.get("accept")?.replaceAll(ESCAPING, "") ?? "*/*";
  const asked = new Request("http://metrics", { headers: { accept } });
  const preferred = accepts(asked, TEXT, OPEN_METRICS);
  return preferred === OPEN_METRICS ? FORMATS.openMetrics : FORMATS.text;
}
