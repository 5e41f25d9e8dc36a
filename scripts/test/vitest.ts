import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, runCommand } from "./command.ts";
import type { StepOutcome } from "./step.ts";

/** The part of vitest's JSON report that is read here. */
interface JsonReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly TestFile[];
}

interface TestFile {
  readonly name: string;
  readonly assertionResults: readonly {
    readonly fullName: string;
    readonly status: string;
    readonly failureMessages: readonly string[];
  }[];
}

/** What of the tests runs, and how. */
export interface VitestOptions {
  /** Whether attacks have their long forms; those leave nothing out, so a skipped test is a failed one. */
  readonly inFull: boolean;
  /** A part of the paths of the files to run; all files unless told. */
  readonly only?: string;
  readonly env?: Record<string, string>;
}

/** Runs vitest (it starts its own stack) and shows its output as it comes. */
export async function runVitest(
  projectFolder: string,
  { inFull, only, env }: VitestOptions,
): Promise<StepOutcome> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-vitest-"));
  const reportPath = join(folder, "report.json");
  try {
    const result = await runCommand(
      process.execPath,
      [
        join(projectFolder, "node_modules", "vitest", "vitest.mjs"),
        "run",
        ...only ? [only] : [],
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${reportPath}`,
      ],
      {
        cwd: projectFolder,
        env: { ...env, ADVERSITY: inFull ? "long" : "short" },
        onOutput: (text) => process.stdout.write(text),
      },
    );
    const report = await readReport(reportPath);
    return report
      ? toOutcome(report, result, inFull)
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
  { code, output }: CommandResult,
  inFull: boolean,
): StepOutcome {
  const skipped = inFull ? report.testResults.flatMap(describeSkipped) : [];
  const failures = [...report.testResults.flatMap(describeFailed), ...skipped];
  // A file that cannot be loaded, or an unhandled error, is no failed test.
  const brokenOutside = code !== 0 && report.numFailedTests === 0 ? 1 : 0;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + skipped.length + brokenOutside,
    report: brokenOutside ? output : failures.join("\n\n"),
    note: `${report.testResults.length} files`,
  };
}

function describeFailed(file: TestFile): string[] {
  return file.assertionResults
    .filter(({ status }) => status === "failed")
    .map(({ fullName, failureMessages }) =>
      `${file.name}: ${fullName}\n${failureMessages.join("\n")}`
    );
}

function describeSkipped(file: TestFile): string[] {
  return file.assertionResults
    .filter(({ status }) => status !== "failed" && status !== "passed")
    .map(({ fullName }) =>
      `${file.name}: ${fullName}\nskipped, and the long form leaves nothing out: this machine lacks what it needs`
    );
}
