import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
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
  /** Milliseconds since 1970. */
  readonly startTime: number;
  readonly endTime: number;
  readonly assertionResults: readonly {
    readonly fullName: string;
    readonly status: string;
    readonly failureMessages: readonly string[];
  }[];
}

/** What of the tests runs, and how. */
export interface VitestOptions {
  /**
   * `quick`: a few rounds, without the attacks that need minutes or whole
   * machines; `short`: a few rounds of everything; `long`: many rounds, and
   * nothing is left out: a skipped test is a failed one.
   */
  readonly form: "quick" | "short" | "long";
  /** Parts of the paths of the files to run; all files unless told. */
  readonly only?: readonly string[];
  readonly env?: Record<string, string>;
  /** More of vitest's own flags. */
  readonly flags?: readonly string[];
}

/** Attacks that `npm run adversity` and .ci/run make, and npm test does not: crashes, a full disk, chaos. */
const NOT_QUICK = [
  "crash_*",
  "outputs_chaos",
  "provider_chaos",
  "unwritable",
].map((name) => `--exclude=tests/adversity/${name}.test.ts`);

/** Runs vitest (it starts its own stack) and shows its output as it comes. */
export async function runVitest(
  projectFolder: string,
  { form, only = [], env, flags = [] }: VitestOptions,
): Promise<StepOutcome> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-vitest-"));
  const reportPath = join(folder, "report.json");
  try {
    const result = await runCommand(
      process.execPath,
      [
        join(projectFolder, "node_modules", "vitest", "vitest.mjs"),
        "run",
        ...only,
        ...form === "quick" ? NOT_QUICK : [],
        ...flags,
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${reportPath}`,
      ],
      {
        cwd: projectFolder,
        env: { ...env, ADVERSITY: form === "long" ? "long" : "short" },
        onOutput: (text) => process.stdout.write(text),
      },
    );
    const report = await readReport(reportPath);
    return report
      ? toOutcome(report, result, form === "long")
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
    times: report.testResults.map(({ name, startTime, endTime }) => ({
      file: relative(process.cwd(), name),
      seconds: (endTime - startTime) / 1000,
    })),
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
