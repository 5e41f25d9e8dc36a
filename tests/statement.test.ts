import { beforeAll, describe, expect, test } from "vitest";
import { readBooks, sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { createUser, type TestUser } from "./support/user.ts";

const ALL_TIME = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";
/** More than the Data API answers at once. */
const MANY_ENTRIES = 1_200;

const FORMULAS = [
  "=1+1",
  "+1",
  "-1",
  "@SUM(A1)",
  "\t=1+1",
  "\r=1+1",
  "\n=1+1",
  "\u2028=1+1",
  " =1+1",
  "＝1+1",
  "＋1",
  "－1",
  "＠SUM(A1)",
];

interface Line {
  line: "opening" | "entry" | "sum" | "closing";
  seq: number;
  kind: string;
  credits: number;
  balance: number;
}

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 2_000 });
  await generate(user);
  await sql`select public.grant_credits(${user.id}, 7, '=HYPERLINK("http://127.0.0.1", "a ""b"", c")')`;
});

function statement(of: TestUser, query: string, accept = "application/json") {
  return callFunction(`credits/statement?${query}`, {
    headers: { ...userHeaders(of), accept },
  });
}

describe("a statement", () => {
  test("leads from the opening to the closing balance, with sums by kind", async () => {
    const answer = await statement(user, ALL_TIME);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.lines).toMatchObject([
      { line: "opening", balance: 0 },
      { line: "entry", seq: 1, kind: "grant", credits: 2_000, balance: 2_000 },
      { line: "entry", seq: 2, kind: "charge", credits: -500, balance: 1_500 },
      { line: "entry", seq: 3, kind: "grant", credits: 7, balance: 1_507 },
      { line: "sum", kind: "grant", credits: 2_007 },
      { line: "sum", kind: "charge", credits: -500 },
      { line: "closing", balance: 1_507 },
    ]);
  });

  test("comes as CSV that no spreadsheet takes for a formula", async () => {
    const answer = await statement(user, ALL_TIME, "text/csv");
    expect(answer.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const lines = answer.text.trimEnd().split("\r\n");
    expect(lines[0]).toBe(
      "line,seq,created_at,kind,credits,balance,grant_id,job_id,reason",
    );
    expect(lines).toHaveLength(8);
    expect(lines[2]).toMatch(/^entry,1,2.*,grant,2000,2000,\d+,,test$/);
    expect(lines[4]).toMatch(/,"'=HYPERLINK\(""http:.*""""b"""", c""\)"$/);
  });

  test("defuses in CSV what a spreadsheet runs, and shows it as it is in JSON", async () => {
    const buyer = await createUser({ credits: 0 });
    await sql`
      select public.grant_credits(${buyer.id}, 7, reason)
      from unnest(${FORMULAS}::text[]) with ordinality as f (reason, place) order by place`;
    const { text } = await statement(buyer, ALL_TIME, "text/csv");
    for (const formula of FORMULAS) expect(text).toContain(`'${formula}`);
    const { body } = await statement(buyer, ALL_TIME);
    const reasons = body.lines.slice(1, FORMULAS.length + 1)
      .map(({ reason }: { reason: string }) => reason);
    expect(reasons).toEqual(FORMULAS);
  });

  test("has every line, however many there are", async () => {
    const busy = await createUser({ credits: 0 });
    await sql`
      select public.grant_credits(${busy.id}, i) from generate_series(1, ${MANY_ENTRIES}) as i`;
    const answer = await statement(busy, ALL_TIME);
    const lines: Line[] = answer.body.lines;
    const entries = lines.filter(({ line }) => line === "entry");
    expect(entries.map(({ seq }) => seq)).toEqual(
      Array.from({ length: MANY_ENTRIES }, (_, index) => index + 1),
    );
    const { balance } = await readBooks(busy.id);
    expect(lines.at(-1)).toMatchObject({ line: "closing", balance });
    expect(entries.reduce((sum, { credits }) => sum + credits, 0)).toBe(
      balance,
    );
  });

  test("is of one moment, also while entries come in", async () => {
    const busy = await createUser({ credits: 0 });
    const grant = (times: number) =>
      sql`select public.grant_credits(${busy.id}, i) from generate_series(1, ${times}) as i`;
    await grant(MANY_ENTRIES);
    for (let turn = 0; turn < 30; turn++) {
      // With what comes in first, and opening, sum and closing, about as many lines as the Data API answers at once.
      const [{ from }] = await sql`
        select to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as from
        from public.credit_ledger where account_id = ${busy.id} order by seq desc offset ${
        997 - turn
      } limit 1` as unknown as [
        { from: string },
      ];
      let reading = true;
      const answer = statement(busy, `from=${from}&to=2099-01-01T00:00:00Z`)
        .finally(() => reading = false);
      while (reading) await grant(1);
      const lines: Line[] = (await answer).body.lines;
      const [opening, closing] = [lines[0]!, lines.at(-1)!];
      const entries = lines.slice(1, -2);
      expect(lines.map(({ line }) => line)).toEqual(
        ["opening", ...entries.map(() => "entry"), "sum", "closing"],
      );
      expect(entries.map(({ seq }) => seq)).toEqual(
        entries.map((_, place) => entries[0]!.seq + place),
      );
      const moved = closing.balance - opening.balance;
      expect(entries.reduce((sum, { credits }) => sum + credits, 0)).toBe(
        moved,
      );
      expect(lines.at(-2)!.credits).toBe(moved);
    }
  }, 60_000);

  test("of more than 20,000 lines is refused", async () => {
    const busy = await createUser({ credits: 1 });
    for (let part = 0; part < 50; part++) {
      await sql`
        select count(*) from credits.movements_book(array(
          select row(g.account_id, i, case i % 2 when 1 then -1 else 1 end, 'adjustment', g.id, null, null)::credits.movement
          from public.credit_grants as g, generate_series(1, 400) as i where g.account_id = ${busy.id}))`;
    }
    const answer = await statement(busy, ALL_TIME);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({
      code: "invalid_request",
      detail:
        "The statement has more than 20,000 lines. Ask for a shorter period.",
      errors: [{ field: "to", message: "must be nearer to from" }],
    });
  }, 60_000);

  test.each([
    "",
    "from=2026-01-01&to=2026-02-01",
    "from=2026-01-01T00:00:00Z&to=never",
    `${ALL_TIME}&account_id=1`,
    `${ALL_TIME}&limit=3`,
    "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
    "from=2026-01-01T00:00:00.000002Z&to=2026-01-01T00:00:00.000001Z",
    "from=0000-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
    "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00%2B23:59",
    `from=2026-01-01T00:00:00.${"1".repeat(300)}Z&to=2026-02-01T00:00:00Z`,
  ])("refuses the query %j", async (query) => {
    const answer = await statement(user, query);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.code).toBe("invalid_request");
    expect(answer.body.errors[0].field).toBeTruthy();
  });

  test.each([
    "from=1000-01-01T00:00:00-15:59&to=2999-12-31T23:59:59%2B15:59",
    "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00.123456789Z",
  ])("takes the query %j", async (query) => {
    const answer = await statement(user, query);
    expect(answer.status, answer.text).toBe(200);
  });
});
