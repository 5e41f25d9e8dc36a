import { expect, test } from "vitest";
import { readSelection, selects } from "../scripts/test/selection.ts";

const STEPS = [
  "pgTAP",
  "pg_prove on Debian's Postgres",
  "deno check",
  "deno lint",
  "vitest",
];

test("without --only everything runs", () => {
  const selection = readSelection([], STEPS);
  expect(STEPS.filter((step) => selects(selection, step))).toEqual(STEPS);
  expect(selection).toMatchObject({ pgtapFiles: [], vitestFiles: [] });
});

test.each<[string, string[], string[], string[]]>([
  ["pgtap/refund", ["pgTAP"], ["refund"], []],
  ["pgTAP", ["pgTAP"], [], []],
  ["tests/jobs.test.ts", ["vitest"], [], ["tests/jobs.test.ts"]],
  ["jobs.test", ["vitest"], [], ["jobs.test"]],
  ["deno", ["deno check", "deno lint"], [], []],
])("--only %s runs that and nothing else", (part, steps, pgtap, vitest) => {
  const selection = readSelection([part], STEPS);
  expect(STEPS.filter((step) => selects(selection, step))).toEqual(steps);
  expect(selection).toMatchObject({ pgtapFiles: pgtap, vitestFiles: vitest });
});

test("several parts run together", () => {
  const selection = readSelection(["pgtap/refund", "squawk", "jobs"], [
    ...STEPS,
    "squawk",
  ]);
  expect([...selection.steps]).toEqual(["pgTAP", "squawk", "vitest"]);
});

test.each(["pgtap/nothing-like-this", "nothing-like-this"])(
  "--only %s says that there is no such test",
  (part) => {
    expect(() => readSelection([part], STEPS)).toThrow(
      /names no test below .*pass a part of a test's path/,
    );
  },
);
