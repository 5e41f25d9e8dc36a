import { beforeAll, describe, expect, test, vi } from "vitest";
import { METRICS } from "../functions/metrics/catalog.ts";
import { sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

const OPEN_METRICS = "application/openmetrics-text;version=1.0.0";

function scrape(headers: Record<string, string> = { apikey: stack.secretKey }) {
  return callFunction("metrics", { headers });
}

/** The samples of an exposition by their series, as it writes them. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => /^[^#]/.test(line));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

/** Sum of a metric's series that have these labels, and any others. */
function valueOf(
  samples: Map<string, number>,
  name: string,
  ...labels: string[]
): number {
  return [...samples]
    .filter(([series]) =>
      series.split("{")[0] === name &&
      labels.every((label) => series.includes(label))
    )
    .reduce((sum, [, value]) => sum + value, 0);
}

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 700 });
});

describe("metrics", () => {
  test.each<[string, () => Record<string, string>]>([
    ["no key", () => ({})],
    ["the publishable key", () => ({ apikey: stack.publishableKey })],
    ["a user's token", () => userHeaders(user)],
    ["a key that is made up", () => ({ authorization: "Bearer sb_secret_x" })],
  ])("refuse %s", async (_, headers) => {
    const answer = await scrape(headers());
    expect(answer.status, answer.text).toBe(401);
    expect(answer.body.code).toBe("unauthorized");
  });

  test.each<[string, () => Record<string, string>]>([
    ["apikey", () => ({ apikey: stack.secretKey })],
    ["bearer token", () => ({ authorization: `Bearer ${stack.secretKey}` })],
    ["bearer token beside a publishable key", () => ({
      apikey: stack.publishableKey,
      authorization: `Bearer ${stack.secretKey}`,
    })],
  ])("take the secret key as %s", async (_, headers) => {
    const answer = await scrape(headers());
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get("content-type")).toContain("version=0.0.4");
  });

  test("say what each series means, and give no value that is no number", async () => {
    const { text } = await scrape();
    const samples = samplesOf(text);
    expect(samples.size).toBeGreaterThan(0);
    for (const [series, value] of samples) {
      const name = series.split("{")[0]!;
      expect(Object.keys(METRICS)).toContain(name);
      expect(text).toContain(
        `# HELP ${name} ${METRICS[name]!.help}\n# TYPE ${name} ${
          METRICS[name]!.type
        }\n`,
      );
      expect(value, series).not.toBeNaN();
    }
  });

  test.each([
    `${OPEN_METRICS},text/plain;version=0.0.4;q=0.5,*/*;q=0.1`,
    // Prometheus 3's own.
    `${OPEN_METRICS};escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,` +
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    `${OPEN_METRICS}; escaping=underscores, text/plain;version=0.0.4;q=0.3`,
  ])("are OpenMetrics for a scraper that prefers it: %s", async (accept) => {
    const answer = await scrape({
      authorization: `Bearer ${stack.secretKey}`,
      accept,
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get("content-type")).toContain(
      "application/openmetrics-text",
    );
    // A router's have the label shard.
    expect(answer.text).toMatch(
      /# TYPE atomic_credits_ledger_entries counter\natomic_credits_ledger_entries_total(\{shard="\w+"\})? \d+\n/,
    );
    expect(answer.text.endsWith("# EOF\n")).toBe(true);
  });

  test.each([
    "*/*",
    "text/plain;version=0.0.4",
    `text/plain;version=0.0.4,${OPEN_METRICS};escaping=allow-utf-8;q=0.5`,
    `${OPEN_METRICS};q=0`,
  ])("are text for a scraper that does not: %s", async (accept) => {
    const answer = await scrape({ apikey: stack.secretKey, accept });
    expect(answer.headers.get("content-type")).toContain("version=0.0.4");
  });

  test("follow a generation and a denial", async () => {
    const before = samplesOf((await scrape()).text);
    expect((await generate(user)).status).toBe(200);
    expect((await generate(user)).status).toBe(402);
    const after = samplesOf((await scrape()).text);
    const change = (name: string, ...labels: string[]) =>
      valueOf(after, name, ...labels) - valueOf(before, name, ...labels);
    expect(change("atomic_credits_moved_credits", 'kind="charge"')).toBe(500);
    expect(
      change(
        "atomic_credits_jobs",
        'status="succeeded"',
        'model="standard-image"',
      ),
    ).toBe(1);
    expect(change("atomic_credits_denials", 'code="insufficient_credits"'))
      .toBe(1);
  });

  // Asked again where a scheduled task wrote between the two reads.
  test("equal what the database holds", () =>
    vi.waitFor(async () => {
      const samples = samplesOf((await scrape()).text);
      const [totals] = await sql`
        select (select count(*) from public.credit_accounts) as accounts,
          (select count(*) from public.credit_ledger) as entries,
          (select sum(delta)::bigint from public.credit_ledger) as outstanding,
          (select count(*) from public.credit_events
            where next_attempt_at is not null) as pending`;
      expect(totals).toEqual({
        accounts: valueOf(samples, "atomic_credits_accounts"),
        entries: valueOf(samples, "atomic_credits_ledger_entries_total"),
        outstanding: valueOf(samples, "atomic_credits_outstanding_credits"),
        pending: valueOf(samples, "atomic_credits_events_pending"),
      });
    }, 10_000));
});
