import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { sql } from "./support/database.ts";

const text = readFileSync("SECURITY_HARDENING.md", "utf8");
const headings = new Set(
  [...text.matchAll(/^### `(.+)`$/gm)].map(([, heading]) => heading),
);

test("every test that a threat names exists", () => {
  const named = [...text.matchAll(/`((?:supabase\/)?tests\/[\w./]+)`/g)];
  expect(named.length).toBeGreaterThan(20);
  for (const [, file] of named) expect(existsSync(file!), file).toBe(true);
});

test("the runbook has a section for each discrepancy, alert and anomaly, and no other", async () => {
  const rows = await sql`
    select invariant as name from public.reconciliation_classes
    union select name from public.credit_alert_rules
    union select name from public.credit_anomaly_rules
  `;
  expect([...headings].sort()).toEqual(rows.map(({ name }) => name).sort());
});
