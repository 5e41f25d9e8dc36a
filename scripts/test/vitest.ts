import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import type { StepOutcome } from "./step.ts";

/** The part of vitest's JSON report that is read here. */
interface JsonReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/**
 * Runs vitest (it starts its own stack) and shows its output as it comes.
 *
 * @param inFull whether attacks have their long forms
 */
export async function runVitest(
  projectFolder: string,
  inFull: boolean,
): Promise<StepOutcome> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-vitest-"));
  const reportPath = join(folder, "report.json");
  try {
    const result = await runCommand(
      process.execPath,
      [
        join(projectFolder, "node_modules", "vitest", "vitest.mjs"),
        "run",
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${reportPath}`,
      ],
      {
        cwd: projectFolder,
        env: { ADVERSITY: inFull ? "long" : "short" },
        onOutput: (text) => process.stdout.write(text),
      },
    );
    const report = await readReport(reportPath);
    return report
      ? toOutcome(report, result.code, result.output)
      : { passed: 0, failed: 1, report: result.output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readReport(path: string): Promise<JsonReport | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    // Without a report vitest broke before any test; its output says why.
    return undefined;
  }
}

function toOutcome(
  report: JsonReport,
  exitCode: number,
  output: string,
): StepOutcome {
  const failures = report.testResults.flatMap(describeFile);
  // A file that cannot be loaded, or an unhandled error, is no failed test.
  const brokenOutside = exitCode !== 0 && report.numFailedTests === 0 ? 1 : 0;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenOutside,
    report: brokenOutside ? output : failures.join("\n\n"),
    note: `${report.testResults.length} files`,
  };
}

function describeFile(file: JsonReport["testResults"][number]): string[] {
  return file.assertionResults
    .filter(({ status }) => status === "failed")
    .map(({ fullName, failureMessages }) =>
      `${file.name}: ${fullName}\n${failureMessages.join("\n")}`
    );
}
