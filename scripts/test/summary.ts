import {
  type FileTime,
  type FinishedStep,
  indent,
  singleCheck,
  type Step,
} from "./step.ts";

/** How many files are named that took longest. */
const SLOWEST = 10;

/** How long everything took, and may take at most. */
export interface RunTime {
  readonly seconds: number;
  readonly limitSeconds: number;
}

/**
 * Prints the slowest files, one line for each step, the first failure whole, how
 * long it all took, and as the very last line the totals in the form
 * `12 passed, 0 failed`.
 *
 * @returns the exit code: 0 when nothing failed, else 1
 */
export function printSummary(
  steps: readonly Step[],
  run: readonly FinishedStep[],
  time: RunTime,
): number {
  printSlowest(run.flatMap(({ times = [] }) => times));
  console.log("\nSummary");
  const place = ({ name }: FinishedStep) =>
    steps.findIndex((step) => step.name === name);
  const finished = run.toSorted((a, b) => place(a) - place(b));
  finished.push(...overLimit(time));
  for (const step of finished) console.log(stepLine(step));
  for (const { name } of steps) {
    if (!run.some((step) => step.name === name)) {
      console.log(`  not run  ${name}`);
    }
  }
  const firstFailure = finished.find((step) => step.failed > 0);
  if (firstFailure) {
    console.log(`\nFirst failure: ${firstFailure.name}`);
    console.log(indent(firstFailure.report));
  }
  const passed = total(finished, "passed");
  const failed = total(finished, "failed");
  console.log(`\n${time.seconds.toFixed(0)} s in all`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Prints the files that took longest, so that somebody can see where the time goes. */
function printSlowest(times: readonly FileTime[]): void {
  if (times.length <= 1) return;
  console.log("\nSlowest files");
  const slowest = times.toSorted((a, b) => b.seconds - a.seconds);
  for (const { file, seconds } of slowest.slice(0, SLOWEST)) {
    console.log(`  ${`${seconds.toFixed(1)} s`.padStart(8)}  ${file}`);
  }
}

/** A failed check where it took too long. */
function overLimit({ seconds, limitSeconds }: RunTime): FinishedStep[] {
  if (seconds <= limitSeconds) return [];
  const report = `It took ${seconds.toFixed(0)} s, and may take ` +
    `${limitSeconds} s: find the slow step in the summary.`;
  return [{ name: "in time", seconds, ...singleCheck(false, report) }];
}

function stepLine(step: FinishedStep): string {
  const verdict = step.failed > 0
    ? "FAILED "
    : step.passed === 0
    ? "skipped"
    : "ok     ";
  const counts = `${step.passed} passed, ${step.failed} failed`;
  const columns = [
    verdict,
    step.name.padEnd(32),
    `${step.seconds.toFixed(1)} s`.padStart(8),
    counts.padEnd(22),
    step.note ?? "",
  ];
  return `  ${columns.join("  ").trimEnd()}`;
}

function total(
  steps: readonly FinishedStep[],
  field: "passed" | "failed",
): number {
  return steps.reduce((sum, step) => sum + step[field], 0);
}
