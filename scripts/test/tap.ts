import { type FinalResults, Parser, type Result } from "tap-parser";

/** What one file's TAP says. */
export interface TapVerdict {
  /** How many top-level test points the stream holds. */
  readonly points: number;
  /** Top-level test points that are ok (skipped and to-do ones included). */
  readonly passed: number;
  /** Test points not ok, and every breach of the protocol. */
  readonly failed: number;
  /** One line a failure, with the diagnostics that follow it in the stream. */
  readonly failures: readonly string[];
}

/**
 * Reads a whole TAP stream. A failing point, a missing plan, a plan that does
 * not match, a point out of sequence and a bail-out each count as a failure.
 */
export function readTap(stream: string): Promise<TapVerdict> {
  return new Promise((resolve) => {
    const parser = new Parser((results) => {
      const errors = protocolErrors(results, parser.syntheticPlan);
      const failures = [
        ...failedPoints.map((point) => describePoint(point, stream)),
        ...errors,
      ];
      resolve({
        points: results.count,
        passed: results.count - failedPoints.length,
        failed: failures.length,
        failures,
      });
    });
    const failedPoints: Result[] = [];
    parser.on("assert", (point: Result) => {
      if (!point.ok && !point.todo && !point.skip) failedPoints.push(point);
    });
    parser.end(stream);
  });
}

function protocolErrors(
  results: FinalResults,
  planInvented: boolean,
): string[] {
  const errors = results.failures.flatMap((failure) =>
    failure.tapError ? [failure.tapError] : []
  );
  if (results.bailout) errors.push(`bailed out: ${results.bailout}`);
  // A stream without any test is taken for "skip all" by the parser.
  if (planInvented && results.count === 0) errors.push("no plan, no test");
  return errors;
}

/** The point's own line, then the `#` lines below it. */
function describePoint(point: Result, stream: string): string {
  const lines = stream.split("\n");
  const pattern = new RegExp(`^not ok ${point.id}\\b`);
  const at = lines.findIndex((line) => pattern.test(line));
  if (at < 0) return `not ok ${point.id} - ${point.name}`;
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => !line.startsWith("#"));
  const diagnostics = end < 0 ? rest : rest.slice(0, end);
  return [lines[at], ...diagnostics].join("\n");
}
