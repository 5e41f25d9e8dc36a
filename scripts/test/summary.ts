import { type FinishedStep, indent, type Step } from "./step.ts";

/**
 * Prints one line a step, the first failure whole, and as the very last line
 * the totals in the form `12 passed, 0 failed`.
 *
 * @returns the exit code: 0 when nothing failed, else 1
 */
export function printSummary(
  steps: readonly Step[],
  finished: readonly FinishedStep[],
): number {
  console.log("\nSummary");
  for (const step of finished) console.log(stepLine(step));
  for (const step of steps.slice(finished.length)) {
    console.log(`  not run  ${step.name}`);
  }
  const firstFailure = finished.find((step) => step.failed > 0);
  if (firstFailure) {
    console.log(`\nFirst failure: ${firstFailure.name}`);
    console.log(indent(firstFailure.report));
  }
  const passed = total(finished, "passed");
  const failed = total(finished, "failed");
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
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
    step.name.padEnd(22),
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
