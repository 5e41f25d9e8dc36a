// Statements and balances of the past, at times that a sequence picks at random.

import { expect } from "vitest";
import type { Run } from "./ledger_run.ts";
import type { EntryRow } from "./ledger_snapshot.ts";

/** From where to where, as positions in what happened. */
export type Cut = readonly [number, number];

type Line = Record<"seq" | "credits" | "balance", number | null> & {
  line: "opening" | "entry" | "sum" | "debt" | "closing";
  kind: string | null;
};

interface Statement {
  readonly account: number;
  readonly from: number;
  readonly to: number;
  readonly before: number;
  readonly after: number;
  readonly lines: Line[];
}

/** Every statement adds up, and says what the sequence saw when it happened. */
export async function expectHistory(
  run: Run,
  cuts: readonly Cut[],
): Promise<void> {
  for (const statement of await readStatements(run, cuts)) {
    expectStatement(run, statement);
  }
  await expectMoments(run);
}

/** Times just before, at and after entries, and between steps. */
function times({ entries, moments }: Run): number[] {
  return [
    ...moments.map(({ at }) => at),
    ...entries.flatMap(({ at }) => [at - 1, at]),
    moments[0]!.at - 1e9,
    moments.at(-1)!.at + 1e9,
  ];
}

async function readStatements(
  run: Run,
  cuts: readonly Cut[],
): Promise<Statement[]> {
  const all = times(run);
  const spans = cuts.map((cut) =>
    cut.map((pick) => all[pick % all.length]!).sort((a, b) => a - b)
  );
  const [row] = await run.lane.workers[0]!<{ statements: Statement[] }[]>`
    select json_agg(json_build_object(
      'account', a.position - 1, 'from', c.since, 'to', c.until,
      'before', public.balance_as_of(a.id, t.since), 'after', public.balance_as_of(a.id, t.until),
      'lines', (select json_agg(s) from public.account_statement(a.id, t.since, t.until) as s)
    )) as statements
    from unnest(${run
    .accounts as string[]}::uuid[]) with ordinality as a (id, position),
      unnest(${spans.map(([from]) => from!)}::bigint[], ${
    spans.map(([, to]) => to!)
  }::bigint[]) as c (since, until),
      lateral (select timestamptz 'epoch' + c.since * interval '1 microsecond' as since,
        timestamptz 'epoch' + c.until * interval '1 microsecond' as until) as t`;
  return row!.statements ?? [];
}

function expectStatement({ entries }: Run, statement: Statement): void {
  const { account, from, to, before, after, lines } = statement;
  const own = entries.filter((entry) => entry.account === account);
  const within = own.filter(({ at }) => at > from && at <= to);
  const sums = new Map<string, number>();
  for (const { kind, delta } of within) {
    sums.set(kind, (sums.get(kind) ?? 0) + delta);
  }
  const of = (line: Line["line"]) => lines.filter((l) => l.line === line);
  const total = (list: readonly { credits: number | null }[]) =>
    list.reduce((sum, { credits }) => sum + credits!, 0);
  const [opening, closing] = [of("opening"), of("closing")];
  expect({
    opening: opening.map(({ balance }) => balance),
    entries: of("entry").map(({ seq, kind, credits, balance }) => ({
      seq,
      kind,
      delta: credits,
      balance,
    })),
    sums: Object.fromEntries(
      of("sum").map(({ kind, credits }) => [
        kind,
        credits,
      ]),
    ),
    closing: closing.map(({ balance }) => balance),
    before,
    after,
  }, `the statement of account ${account} from ${from} to ${to}`).toEqual({
    opening: [balanceAt(own, from)],
    entries: within.map(({ seq, kind, delta, balance }) => ({
      seq,
      kind,
      delta,
      balance,
    })),
    sums: Object.fromEntries(sums),
    closing: [balanceAt(own, to)],
    before: balanceAt(own, from),
    after: balanceAt(own, to),
  });
  expect(opening[0]!.balance! + total(of("entry"))).toBe(closing[0]!.balance);
  expect(total(of("sum"))).toBe(total(of("entry")));
}

function balanceAt(entries: readonly EntryRow[], at: number): number {
  return entries.findLast((entry) => entry.at <= at)?.balance ?? 0;
}

/** What each balance was after every step, by the model that stood beside it then. */
async function expectMoments({ lane, accounts, moments }: Run): Promise<void> {
  const rows = await lane.workers[1]!<{ balances: number[] }[]>`
    select array_agg(
      public.balance_as_of(a.id, timestamptz 'epoch' + m.at * interval '1 microsecond') order by a.position) as balances
    from unnest(${
    moments.map(({ at }) => at)
  }::bigint[]) with ordinality as m (at, position),
      unnest(${accounts as string[]}::uuid[]) with ordinality as a (id, position)
    group by m.position order by m.position`;
  expect(rows.map(({ balances }) => balances.map(Number)))
    .toEqual(moments.map(({ balances }) => balances));
}
