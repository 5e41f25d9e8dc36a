import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dashboardFiles } from "../monitoring/grafana/index.ts";

test.each([...dashboardFiles()])(
  "%s is what its source says",
  (file, text) => {
    const committed = new URL(
      `../monitoring/grafana/dashboards/${file}`,
      import.meta.url,
    );
    expect(readFileSync(committed, "utf8"), "run: npm run dashboards").toBe(
      text,
    );
  },
);
