import { readFile, writeFile } from "node:fs/promises";
import type { Outcome } from "./measure.ts";

/** A ratio may be this much worse than expected: a third of the speed is gone. */
const TOLERANCE = 2 / 3;
const file = new URL("expected.json", import.meta.url);

/** The ratio of each scenario in the short form, as it was measured. */
export type Expected = Record<string, number>;

/** Reads the expectations that are kept in the project. */
export async function readExpected(): Promise<Expected> {
  return JSON.parse(await readFile(file, "utf8"));
}

/** Writes what was measured over the expectations; those of other scenarios stay. */
export async function writeExpected(
  outcomes: readonly Outcome[],
): Promise<void> {
  const measured = outcomes.map(({ comparison, ratio }) =>
    [comparison.name, Number(ratio.toPrecision(3))] as const
  );
  const expected = { ...await readExpected(), ...Object.fromEntries(measured) };
  await writeFile(file, `${JSON.stringify(expected, null, 2)}\n`);
}

/** Whether a scenario has lost more than a third of its speed; a new one has not. */
export function hasRegressed(
  { comparison: { name, bar }, ratio }: Outcome,
  expected: Expected,
): boolean {
  const before = expected[name];
  if (before === undefined) return false;
  return bar.atLeast === undefined
    ? ratio > before / TOLERANCE
    : ratio < before * TOLERANCE;
}
