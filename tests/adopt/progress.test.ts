import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
  vi,
} from "vitest";
import { Progress } from "../../scripts/adopt/progress.ts";
import { rounds } from "../support/adversity.ts";
import {
  adoptJson,
  DECIDED,
  flags,
  type OldDatabases,
  startOldDatabases,
} from "../support/old_ledger.ts";

/** The rows that a ledger is promised to be taken over with, where there is time for them. */
const SIZE = { users: 20_000, rows: rounds(20_000, 1_000_000) };
/** What old_ledger.sql adds, and what of it is set aside. */
const WRONG = { rows: 17, aside: 8 };
const LIMIT_MS = 15 * 60_000;

describe("the progress of an import", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** The lines for batches of which each comes so many milliseconds after the one before it. */
  function linesOf(
    { total, before = 0 }: { total: number; before?: number },
    batches: readonly [afterMs: number, entries: number][],
  ): string[] {
    const lines: string[] = [];
    const progress = new Progress(total, before, (line) => lines.push(line));
    for (const [afterMs, entries] of batches) {
      vi.advanceTimersByTime(afterMs);
      progress.add(entries);
    }
    return lines;
  }

  test("tells entries done, of how many, how many a second, and the time left", () => {
    expect(linesOf({ total: 1_000_000 }, [[4_000, 20_000], [2_000, 40_000]]))
      .toEqual([
        "  20,000 of 1,000,000 entries (2 %), 5,000 a second, 196 s left",
        "  60,000 of 1,000,000 entries (6 %), 10,000 a second, 94 s left",
      ]);
  });

  test("is told every two seconds, and at the end", () => {
    const batches = Array.from({ length: 50 }, () => [100, 2] as const);
    expect(linesOf({ total: 100 }, batches.map(([ms, n]) => [ms, n])))
      .toEqual([
        "  2 of 100 entries (2 %), 20 a second, 5 s left",
        "  42 of 100 entries (42 %), 20 a second, 3 s left",
        "  82 of 100 entries (82 %), 20 a second, 1 s left",
        "  100 of 100 entries (100 %), 20 a second, 0 s left",
      ]);
  });

  test("counts what an earlier run did as done, and not as this run's speed", () => {
    expect(linesOf({ total: 1_000, before: 900 }, [[1_000, 50], [1_000, 50]]))
      .toEqual([
        "  950 of 1,000 entries (95 %), 50 a second, 1 s left",
        "  1,000 of 1,000 entries (100 %), 50 a second, 0 s left",
      ]);
  });
});

describe(`an old ledger of ${SIZE.rows} rows`, () => {
  let server: OldDatabases;
  beforeAll(async () => {
    server = await startOldDatabases();
  });
  afterAll(() => server.stop());

  test(
    "is taken over whole, and tells how far and how fast it goes",
    async () => {
      const database = await server.createOld(SIZE);
      const startedAt = performance.now();
      const { code, proof, stderr } = await adoptJson(
        database,
        "--apply",
        ...flags(DECIDED),
      );
      const seconds = (performance.now() - startedAt) / 1_000;

      const moved = SIZE.rows + WRONG.rows - WRONG.aside;
      expect([code, proof]).toEqual([
        0,
        expect.objectContaining({
          old_rows: SIZE.rows + WRONG.rows,
          moved,
          rows_astray: 0,
          users_astray: 0,
          discrepancies: 0,
        }),
      ]);
      const told = progressIn(stderr);
      const entries = moved + proof!.adjustments;
      expect(told.at(-1)).toMatchObject({
        done: entries,
        percent: 100,
        left: 0,
      });
      expect(stderr).toContain(`Importing ${entries} entries …`);
      expect(told.map(({ done }) => done))
        .toEqual(told.map(({ done }) => done).toSorted((a, b) => a - b));
      for (const { done, total, percent } of told) {
        expect(total).toBe(entries);
        expect(percent).toBe(Math.floor(done / total * 100));
      }
      // The import is a part of the whole run, so it was faster than that.
      expect(told.at(-1)!.rate).toBeGreaterThan(entries / seconds);
    },
    LIMIT_MS,
  );
});

/** The lines in which a run tells its progress. */
function progressIn(text: string) {
  const lines = text.matchAll(
    /^ {2}([\d,]+) of ([\d,]+) entries \((\d+) %\), ([\d,]+) a second, (\d+) s left$/gm,
  );
  return [...lines].map(([, ...columns]) => {
    const [done, total, percent, rate, left] = columns.map((column) =>
      Number(column.replaceAll(",", ""))
    ) as [number, number, number, number, number];
    return { done, total, percent, rate, left };
  });
}
