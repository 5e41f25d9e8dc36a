import { describe, expect, test } from "vitest";
import {
  besideEarlier,
  earlierLab,
  findCommit,
} from "../scripts/bench/earlier.ts";
import { hasRegressed } from "../scripts/bench/expected.ts";
import { FAMILIES } from "../scripts/bench/families/index.ts";
import type { Lab } from "../scripts/bench/lab.ts";
import { inTurn, median, type Outcome } from "../scripts/bench/measure.ts";
import { ticksOf } from "../scripts/bench/processor_time.ts";
import { readOptions } from "../scripts/bench/options.ts";
import { steadyRate } from "../scripts/bench/pgbench.ts";
import { select } from "../scripts/bench/run.ts";
import type { Bar, Load } from "../scripts/bench/scenario.ts";

const load: Load = { database: "any", script: "select 1;" };

function outcome(ratio: number, bar: Bar): Outcome {
  const comparison = {
    name: "charge",
    against: "anything",
    bar,
    floor: load,
    subject: load,
  };
  return { comparison, ratio, lowest: 0, highest: 1, floor: 1, subject: ratio };
}

describe("a regression", () => {
  test.each([
    {
      what: "speed that lost a third",
      ratio: 0.41,
      expected: 0.6,
      bar: { atLeast: 0.6 },
      worse: false,
    },
    {
      what: "speed that lost more",
      ratio: 0.39,
      expected: 0.6,
      bar: { atLeast: 0.6 },
      worse: true,
    },
    {
      what: "time that took half as long again",
      ratio: 5.9,
      expected: 4,
      bar: { atMost: 4 },
      worse: false,
    },
    {
      what: "time that took longer",
      ratio: 6.1,
      expected: 4,
      bar: { atMost: 4 },
      worse: true,
    },
  ])("$what: $worse", ({ ratio, expected, bar, worse }) => {
    expect(hasRegressed(outcome(ratio, bar), { charge: expected })).toBe(worse);
  });

  test("is nothing that was never measured before", () => {
    expect(hasRegressed(outcome(0.1, { atLeast: 0.6 }), {})).toBe(false);
  });
});

test("the median of an even number lies between the middle two", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([9, 1, 5])).toBe(5);
});

test("in each round another side begins", () => {
  expect([1, 2, 3].map((round) => inTurn(3, round))).toEqual([
    [1, 2, 0],
    [2, 0, 1],
    [0, 1, 2],
  ]);
});

describe("beside an earlier commit", () => {
  const charges = FAMILIES.filter(({ name }) => name === "charges");

  test("a scenario is measured on that commit's database, by the same load", () => {
    const [family] = besideEarlier(charges, "abc1234");
    const charge = family?.comparisons?.find(({ name }) => name === "charge");
    expect(charge?.earlier).toMatchObject({
      name: "charge-since",
      against: "the same at abc1234",
      bar: { atLeast: 1.35 },
      floor: { ...charge?.subject, database: "charges_earlier" },
      subject: charge?.subject,
    });
  });

  test("without a commit, everything stays as it is", () => {
    expect(besideEarlier(FAMILIES)).toBe(FAMILIES);
  });

  test("every database of the lab is that commit's", () => {
    const lab = { url: (database: string) => `/${database}` } as Lab;
    expect(earlierLab(lab).url("charges")).toBe("/charges_earlier");
  });

  test("what is no commit is said before anything is measured", async () => {
    await expect(findCommit("no-such-branch", process.cwd())).rejects.toThrow(
      "git knows no such commit",
    );
  });
});

test("the first second of pgbench does not count", () => {
  const output = `progress: 1.0 s, 100.0 tps, lat 1.0 ms stddev 0.1, 0 failed
progress: 2.0 s, 300.0 tps, lat 1.0 ms stddev 0.1, 0 failed
number of transactions actually processed: 400
tps = 200.0 (without initial connection time)`;
  expect(steadyRate(output)).toBeCloseTo(300);
  expect(() => steadyRate("nothing")).toThrow("cannot be read");
});

test("the processor time of a process is read, also where its name holds blanks and brackets", () => {
  const stat =
    "17 (postgres) (x) S 1 17 17 0 -1 64 9 0 0 0 120 34 0 0 20 0 1 0";
  expect(ticksOf(stat)).toBe(154);
});

test("what is expected is not written from a run beside an earlier commit", () => {
  const args = ["--short", "--update", "--against", "main"];
  expect(() => readOptions({ args } as never)).toThrow("--against");
});

describe("what is measured", () => {
  const names = FAMILIES.flatMap(({ comparisons = [], probes = [] }) =>
    [...comparisons, ...probes].map(({ name }) => name)
  );
  const options = { short: false, check: false, update: false };

  test("has a name of its own", () => {
    expect(new Set(names).size).toBe(names.length);
  });

  test("can be asked for by its name or its family's", () => {
    const [one] = select({ ...options, only: ["charge-hot"] });
    expect(one?.comparisons?.map(({ name }) => name)).toEqual(["charge-hot"]);
    const [family] = select({ ...options, only: ["charges"] });
    expect(family?.comparisons).toHaveLength(4);
    expect(() => select({ ...options, only: ["nothing"] })).toThrow("--help");
  });
});
